/** Names by which one run of the tests tells its guests from those of another run beside it. */
export const testRun = process.env.BOOTWRIGHT_TEST_RUN ?? String(process.pid);
export const guestPrefix = `bw-test-${testRun}-`;
