/** What can go wrong between Node and a module. */

/** The bytes are no module that can run here. */
export class LoadError extends Error {
  override name = 'LoadError';
}

/** A snapshot was not taken or not restored; nothing was changed. */
export class StateError extends Error {
  override name = 'StateError';
}

/**
 * A call trapped: a defect of the module, or a limit. The instance is gone and a new one stands in its place: pass the batch on
 * as it is.
 */
export class TrappedError extends Error {
  override name = 'TrappedError';

  constructor(
    /** The function of the contract. */
    readonly call: string,
    /** What happened. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    const loss = 'what its windows gathered since the last checkpoint is lost';
    super(`the module trapped in ${call}: ${reason}; ${loss}`, options);
  }
}
