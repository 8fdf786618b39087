/** Sizes of disks: GiB for people, bytes everywhere else. */
import { z } from "zod";

export const GIB = 1024 ** 3;
export const DISK_GIB_MAX = 65536;
export const SizeGb = z.number().min(1).max(DISK_GIB_MAX).multipleOf(0.5).describe("Size in GiB (1 GiB = 2^30 bytes)");
export const bytesOf = (sizeGb: number): number => Math.round(sizeGb * GIB);
export const gibOf = (bytes: number): number => Math.round((bytes / GIB) * 100) / 100;
