// The real daemon's test:///default: definitions, states and metadata without a hypervisor.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  DOMAIN_AFFECT,
  DOMAIN_DEFINE,
  DOMAIN_STATE,
  DOMAIN_STATS,
  DOMAIN_XML,
  ERROR_CODE,
  LIST_DOMAINS,
  type Libvirt,
  METADATA_TYPE,
  openLibvirt,
  SHUTOFF_REASON,
} from "../../../../plugins/libvirt/client/libvirt.ts";
import { hasLibvirtd, type PrivateDaemon, startDaemon } from "./private-daemon.ts";

const XML = `<domain type='test'><name>web</name><uuid>0f0e0d0c-0b0a-4908-8706-050403020100</uuid><memory>65536</memory>
  <vcpu>2</vcpu><os><type>hvm</type></os></domain>`;

describe.skipIf(!hasLibvirtd)("libvirt's test driver", () => {
  let daemon: PrivateDaemon;
  let libvirt: Libvirt;
  beforeAll(async () => {
    daemon = await startDaemon();
    libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath });
  });
  afterAll(async () => {
    await libvirt.close();
    await daemon.stop();
  });

  test("connectGetType(), connectGetUri() and the versions say where we are", async () => {
    expect(await libvirt.connectGetType()).toBe("TEST");
    expect(await libvirt.connectGetUri()).toBe("test:///default");
    expect(await libvirt.connectGetLibVersion()).toBeGreaterThan(6_000_000);
    expect(await libvirt.connectGetVersion()).toBe(2);
    expect(await libvirt.connectGetHostname()).not.toBe("");
    expect(await libvirt.connectGetCapabilities()).toMatch(/^<capabilities>/);
  });

  test("connectListAllDomains() lists by flags, and lookups find the same domain", async () => {
    const [domain, ...others] = await libvirt.connectListAllDomains(LIST_DOMAINS.active);
    expect(others).toEqual([]);
    expect(domain).toMatchObject({ name: "test", id: expect.any(Number) });
    expect(await libvirt.domainLookupByUuid(domain!.uuid.toUpperCase())).toEqual(domain);
    expect(await libvirt.domainLookupByName("test")).toEqual(domain);
    expect(await libvirt.connectListAllDomains(LIST_DOMAINS.inactive)).toEqual([]);
  });

  test("domainLookupByName() and domainLookupByUuid() fail with libvirt's own code", async () => {
    const code = ERROR_CODE.noDomain;
    await expect(libvirt.domainLookupByName("nobody")).rejects.toMatchObject({ name: "LibvirtError", code });
    await expect(libvirt.domainLookupByUuid(crypto.randomUUID())).rejects.toMatchObject({ code });
    await expect(libvirt.domainLookupByUuid("web")).rejects.toThrow(RangeError);
    await expect(libvirt.domainLookupByName("web\0test")).rejects.toThrow(RangeError);
  });

  test("a domain is defined, started, suspended, stopped and undefined", async () => {
    const defined = await libvirt.domainDefineXmlFlags(XML, DOMAIN_DEFINE.validate);
    expect(defined).toEqual({ name: "web", uuid: "0f0e0d0c-0b0a-4908-8706-050403020100", id: undefined });
    expect(await libvirt.domainGetState(defined)).toMatchObject({ state: DOMAIN_STATE.shutoff });
    expect(await libvirt.domainIsActive(defined)).toBe(false);
    expect(await libvirt.domainIsPersistent(defined)).toBe(true);
    const started = await libvirt.domainCreateWithFlags(defined);
    expect(started.id).toBeGreaterThan(0);
    expect(await libvirt.domainGetInfo(started)).toMatchObject({
      state: DOMAIN_STATE.running,
      memoryMaxKib: 65_536,
      memoryKib: 65_536,
      vcpus: 2,
      cpuTimeNs: expect.any(BigInt),
    });
    await libvirt.domainSuspend(started);
    expect((await libvirt.domainGetState(started)).state).toBe(DOMAIN_STATE.paused);
    await libvirt.domainResume(started);
    await libvirt.domainReboot(started);
    await libvirt.domainDestroyFlags(started);
    expect(await libvirt.domainGetState(defined)).toEqual({
      state: DOMAIN_STATE.shutoff,
      reason: SHUTOFF_REASON.destroyed,
    });
    await libvirt.domainCreateWithFlags(defined);
    await libvirt.domainShutdownFlags(defined);
    expect((await libvirt.domainGetState(defined)).reason).toBe(SHUTOFF_REASON.shutdown);
    await libvirt.domainUndefineFlags(defined);
    await expect(libvirt.domainGetState(defined)).rejects.toMatchObject({ code: ERROR_CODE.noDomain });
  });

  test("domainCreateXml() starts a transient domain that is gone when it stops", async () => {
    const domain = await libvirt.domainCreateXml(XML);
    expect(await libvirt.domainIsPersistent(domain)).toBe(false);
    await libvirt.domainDestroyFlags(domain);
    await expect(libvirt.domainLookupByName("web")).rejects.toMatchObject({ code: ERROR_CODE.noDomain });
  });

  test("domainSetMetadata() and domainGetMetadata() keep texts and elements", async () => {
    const domain = await libvirt.domainDefineXmlFlags(XML);
    const uri = "https://bootwright.test/1";
    const metadata = "<vm owner='Zoë'>&lt;ok></vm>";
    await libvirt.domainSetMetadata(domain, { type: METADATA_TYPE.element, metadata, key: "bw", uri });
    await libvirt.domainSetMetadata(domain, { type: METADATA_TYPE.title, metadata: "Web – 1" }, DOMAIN_AFFECT.config);
    // libvirt gives an element as ASCII with character references, in the whole definition too.
    const element = await libvirt.domainGetMetadata(domain, { type: METADATA_TYPE.element, uri });
    expect(element).toBe('<vm owner="Zo&#xEB;">&lt;ok&gt;</vm>');
    expect(await libvirt.domainGetMetadata(domain, { type: METADATA_TYPE.title })).toBe("Web – 1");
    const xml = await libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure);
    expect(xml).toContain(`<bw:vm xmlns:bw="${uri}" owner="Zo&#xEB;">&lt;ok&gt;</bw:vm>`);
    await libvirt.domainSetMetadata(domain, { type: METADATA_TYPE.element, uri });
    const absent = libvirt.domainGetMetadata(domain, { type: METADATA_TYPE.element, uri });
    await expect(absent).rejects.toMatchObject({ code: ERROR_CODE.noDomainMetadata });
    await libvirt.domainUndefineFlags(domain);
  });

  test("domainSetAutostart() and domainManagedSave() are kept and taken back", async () => {
    const domain = await libvirt.domainDefineXmlFlags(XML);
    await libvirt.domainSetAutostart(domain, true);
    expect(await libvirt.domainGetAutostart(domain)).toBe(true);
    await libvirt.domainSetAutostart(domain, false);
    expect(await libvirt.domainGetAutostart(domain)).toBe(false);
    await libvirt.domainCreateWithFlags(domain);
    await libvirt.domainManagedSave(domain);
    expect(await libvirt.domainHasManagedSaveImage(domain)).toBe(true);
    await libvirt.domainManagedSaveRemove(domain);
    expect(await libvirt.domainHasManagedSaveImage(domain)).toBe(false);
    await libvirt.domainUndefineFlags(domain);
  });

  test("domainDefineXmlFlags() gives libvirt's words for XML that is none", async () => {
    const refused = libvirt.domainDefineXmlFlags("<domain>");
    await expect(refused).rejects.toMatchObject({ code: ERROR_CODE.xmlDetail, message: /Premature end/ });
  });

  test("connectGetAllDomainStats() answers for the domains and the groups that are asked for", async () => {
    const domains = await libvirt.connectListAllDomains();
    const [record] = await libvirt.connectGetAllDomainStats(domains, DOMAIN_STATS.state);
    expect(record).toEqual({ domain: domains[0], stats: { "state.state": 1, "state.reason": 0 } });
  });

  test("fifty calls at once on one connection each get their own answer", async () => {
    const names = Array.from({ length: 25 }, (_, number) => `many-${number}`);
    const xml = (name: string) =>
      `<domain type='test'><name>${name}</name><memory>1024</memory><os><type>hvm</type></os></domain>`;
    const defined = await Promise.all(names.map((name) => libvirt.domainDefineXmlFlags(xml(name))));
    expect(defined.map((domain) => domain.name)).toEqual(names);
    const answers = await Promise.all(
      defined.flatMap((domain) => [libvirt.domainLookupByUuid(domain.uuid), libvirt.domainGetXmlDesc(domain)]),
    );
    for (const [index, domain] of defined.entries()) {
      expect(answers[index * 2]).toEqual(domain);
      expect(answers[index * 2 + 1]).toContain(`<name>${domain.name}</name>`);
    }
    await Promise.all(defined.map((domain) => libvirt.domainUndefineFlags(domain)));
  });

  test("a description of several hundred kilobytes comes back whole", async () => {
    const metadata = "ä-".repeat(150_000);
    const domain = await libvirt.domainDefineXmlFlags(XML);
    await libvirt.domainSetMetadata(domain, { type: METADATA_TYPE.description, metadata });
    expect(await libvirt.domainGetMetadata(domain, { type: METADATA_TYPE.description })).toBe(metadata);
    await libvirt.domainUndefineFlags(domain);
  });
});
