/** Why a job's signal is aborted. */

/** Somebody cancelled it. */
export class JobCancelled extends Error {}
/** The process that runs it is about to end. */
export class ProcessEnds extends Error {}
/** Another process holds it by now. */
export class JobLost extends Error {}
