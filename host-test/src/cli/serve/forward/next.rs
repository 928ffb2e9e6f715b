//! Where the events of messages go on to.

use super::client::Client;
use crate::cli::serve::downstream::{Body, Delivery, Downstream};

/// The next service. Cheap to clone.
#[derive(Clone)]
pub(super) enum Next {
    /// By HTTP, as NDJSON.
    Http(Downstream),
    /// By the forward protocol.
    Forward(Client),
}

impl Next {
    /// Whether messages of the protocol go on; else lines.
    pub(super) fn takes_messages(&self) -> bool {
        matches!(self, Next::Forward(_))
    }

    /// A body in the form that it takes.
    pub(super) fn body(&self, bytes: Vec<u8>) -> Body {
        let content_type = if self.takes_messages() { "application/msgpack" } else { "application/x-ndjson" };
        Body { bytes: bytes.into(), content_type }
    }

    /// Offers a body until it is taken or refused, or patience ends.
    pub(super) async fn deliver(&self, body: &Body) -> Delivery {
        match self {
            Next::Http(downstream) => downstream.deliver(body).await,
            Next::Forward(client) => client.deliver(&body.bytes).await,
        }
    }
}
