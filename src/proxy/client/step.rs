//! Steps of an exchange on the client's side, and the results that they return.

/// Where a client connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A request head comes in, or none yet.
    Receive,
    /// Asks who is there.
    Auth,
    /// Decides where the request goes.
    Route,
    /// Asks for the addresses of the destination, as rules depend on them.
    Resolve,
    /// Connects to the destination of a CONNECT.
    Connect,
    /// Asks the cache.
    Lookup,
    /// A response is on its way.
    Wait,
    /// Its head is written, in the form that this client understands.
    Deliver,
    /// Its content is sent.
    Transmit,
    /// The exchange is written down; the connection is kept or closed.
    Finish,
    /// What is left is sent; what still comes is read and dropped, so that the answer is not lost
    /// to a reset.
    Close,
}

/// What a step has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Go(Step),
    /// Something has to happen first.
    Park,
    /// The connection is over.
    Gone,
    /// The connection belongs to a tunnel now.
    HandedOver,
}
