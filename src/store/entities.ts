/** The tables as MikroORM knows them. Migrations own the schema; a test holds the two together. */
import { defineEntity, p } from "@mikro-orm/core";
import type { Operation, Step } from "../domain/changes/operation.ts";
import type { DomainEvent } from "../domain/model/event.ts";
import type { Job } from "../domain/model/job.ts";
import type { ReportedState } from "../domain/model/reported-state.ts";
import type { State } from "../domain/model/state.ts";
import type { Roles } from "../domain/model/vm.ts";
import type { RunRecord, Suggestion, VmRecord } from "../domain/model/vm-record.ts";
import type { Delivery } from "../domain/ports/event-store.ts";

const VmSchema = defineEntity({
  name: "Vm",
  tableName: "vms",
  properties: {
    connection: p.text().primary(),
    uuid: p.text().primary(),
    name: p.text(),
    installationStatus: p.text().$type<VmRecord["status"]>(),
    requestedOrder: p.text().$type<NonNullable<VmRecord["requestedOrder"]>>().nullable(),
    roles: p.json<Roles>().columnType("text"),
    ownedFiles: p.json<readonly string[]>().columnType("text"),
    isoIdentity: p.text().nullable(),
    currentRun: p.json<RunRecord>().columnType("text").nullable(),
    suggestion: p.json<Suggestion>().columnType("text").nullable(),
    fingerprint: p.text().nullable(),
    revision: p.integer(),
    origin: p.text().$type<VmRecord["origin"]>(),
    bootOrder: p.text().$type<NonNullable<NonNullable<VmRecord["seen"]>["bootOrder"]>>().nullable(),
    diskPath: p.text().nullable(),
    diskSizeBytes: p.integer().nullable(),
    currentMedia: p.text().nullable(),
    currentBootDevice: p.text().nullable(),
    createdAt: p.text(),
    updatedAt: p.text(),
    version: p.integer(),
  },
});
export class VmRow extends VmSchema.class {}
VmSchema.setClass(VmRow);
export const vmColumns = Object.keys(VmSchema.meta.properties);

const OperationSchema = defineEntity({
  name: "Operation",
  tableName: "operations",
  properties: {
    id: p.text().primary(),
    schema: p.integer(),
    connection: p.text(),
    uuid: p.text(),
    name: p.text().nullable(),
    actor: p.text(),
    what: p.text(),
    direction: p.text().$type<Operation["direction"]>(),
    status: p.text().$type<Operation["status"]>(),
    before: p.json<State>().columnType("text").fieldName("state_before").nullable(),
    steps: p.json<readonly Step[]>().columnType("text"),
    definition: p.text().nullable(),
    holder: p.text(),
    error: p.json<NonNullable<Operation["error"]>>().columnType("text").nullable(),
    begunAt: p.text(),
    settledAt: p.text().nullable(),
  },
});
export class OperationRow extends OperationSchema.class {}
OperationSchema.setClass(OperationRow);
/** All columns but the definition, which may be large. */
export const operationColumns = Object.keys(OperationSchema.meta.properties).filter((name) => name !== "definition");

/** The targets that an operation holds beside its own VM. */
const OperationTargetSchema = defineEntity({
  name: "OperationTarget",
  tableName: "operation_targets",
  properties: { operation: p.text().primary(), connection: p.text().primary(), uuid: p.text().primary() },
});
export class OperationTargetRow extends OperationTargetSchema.class {}
OperationTargetSchema.setClass(OperationTargetRow);

const EventSchema = defineEntity({
  name: "Event",
  tableName: "events",
  properties: {
    seq: p.integer().primary().autoincrement(),
    id: p.text().unique("events_id"),
    type: p.text(),
    subject: p.text(),
    time: p.text(),
    body: p.json<DomainEvent>().columnType("text"),
  },
});
export class EventRow extends EventSchema.class {}
EventSchema.setClass(EventRow);

const ClaimSchema = defineEntity({
  name: "Claim",
  tableName: "claims",
  properties: {
    connection: p.text().primary(),
    uuid: p.text().primary(),
    holder: p.text(),
    actor: p.text(),
    what: p.text(),
    since: p.text(),
  },
});
export class ClaimRow extends ClaimSchema.class {}
ClaimSchema.setClass(ClaimRow);

const ConfirmationSchema = defineEntity({
  name: "Confirmation",
  tableName: "confirmations",
  properties: { hash: p.text().primary(), subject: p.text(), expiresAt: p.integer() },
});
export class ConfirmationRow extends ConfirmationSchema.class {}
ConfirmationSchema.setClass(ConfirmationRow);

const SettingSchema = defineEntity({
  name: "Setting",
  tableName: "settings",
  properties: { key: p.text().primary(), value: p.json<unknown>().columnType("text") },
});
export class SettingRow extends SettingSchema.class {}
SettingSchema.setClass(SettingRow);

const ReportedStateSchema = defineEntity({
  name: "ReportedState",
  tableName: "sightings",
  properties: {
    connection: p.text().primary(),
    uuid: p.text().primary(),
    revision: p.integer(),
    body: p.json<ReportedState>().columnType("text"),
  },
});
export class ReportedStateRow extends ReportedStateSchema.class {}
ReportedStateSchema.setClass(ReportedStateRow);

const SubscriberSchema = defineEntity({
  name: "Subscriber",
  tableName: "subscribers",
  properties: { name: p.text().primary(), place: p.integer(), servedAt: p.text() },
});
export class SubscriberRow extends SubscriberSchema.class {}
SubscriberSchema.setClass(SubscriberRow);

const DeliverySchema = defineEntity({
  name: "Delivery",
  tableName: "deliveries",
  properties: {
    subscriber: p.text().primary(),
    seq: p.integer().primary(),
    subject: p.text(),
    body: p.json<DomainEvent>().columnType("text"),
    attempts: p.integer(),
    state: p.text().$type<Delivery["state"]>(),
    at: p.text(),
    error: p.text().nullable(),
  },
});
export class DeliveryRow extends DeliverySchema.class {}
DeliverySchema.setClass(DeliveryRow);

const LeaseSchema = defineEntity({
  name: "Lease",
  tableName: "leases",
  properties: { task: p.text().primary(), holder: p.text() },
});
export class LeaseRow extends LeaseSchema.class {}
LeaseSchema.setClass(LeaseRow);

const RequestKeySchema = defineEntity({
  name: "RequestKey",
  tableName: "request_keys",
  properties: {
    key: p.text().primary(),
    request: p.text(),
    holder: p.text(),
    answer: p.text().nullable(),
    expiresAt: p.integer(),
  },
});
export class RequestKeyRow extends RequestKeySchema.class {}
RequestKeySchema.setClass(RequestKeyRow);

const JobSchema = defineEntity({
  name: "Job",
  tableName: "jobs",
  properties: {
    id: p.text().primary(),
    kind: p.text(),
    title: p.text(),
    actor: p.text(),
    connection: p.text().nullable(),
    uuid: p.text().nullable(),
    name: p.text().nullable(),
    input: p.json<unknown>().columnType("text"),
    checkpoint: p.json<unknown>().columnType("text").nullable(),
    attempts: p.integer(),
    status: p.text().$type<Job["status"]>(),
    percent: p.float().columnType("real").nullable(),
    message: p.text().nullable(),
    result: p.json<NonNullable<Job["result"]>>().columnType("text").nullable(),
    error: p.json<NonNullable<Job["error"]>>().columnType("text").nullable(),
    holder: p.text(),
    startedAt: p.text(),
    updatedAt: p.text(),
    endedAt: p.text().nullable(),
  },
});
export class JobRow extends JobSchema.class {}
JobSchema.setClass(JobRow);

export const entities = [
  VmSchema,
  OperationSchema,
  OperationTargetSchema,
  EventSchema,
  ClaimSchema,
  ConfirmationSchema,
  SettingSchema,
  ReportedStateSchema,
  SubscriberSchema,
  DeliverySchema,
  LeaseSchema,
  RequestKeySchema,
  JobSchema,
];
