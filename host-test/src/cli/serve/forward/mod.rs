//! The service over Fluentd's forward protocol, version 1: messages in, acknowledged once the next service has what became
//! of their events.
//!
//! A message (`frame`) holds records (`record`), which the module reads as JSON lines (`json`, `lines`) and which go on as
//! they came, but for the tag (`outgoing`), to the next service (`next`, `client`). Senders who have to show the token do
//! so by the protocol's own handshake (`handshake`).
//!
//! | name | labels | what it counts |
//! |---|---|---|
//! | `tripwasm_forward_messages_total` | `outcome` | messages acknowledged, taken without an acknowledgement, refused, and signs of life |
//! | `tripwasm_forward_seconds` | - | from a message's last byte to its acknowledgement |
//! | `tripwasm_forward_lost_total` | - | events that the next service refused and whose sender asked for no acknowledgement |
//!
//! Invariants: a record that is not tagged goes on byte for byte; nothing is read from a sender whose last message is not
//! settled, but a little; no length that a message announces is allocated before its bytes came.

mod client;
mod frame;
mod handshake;
mod json;
mod lines;
mod msgpack;
mod next;
mod outgoing;
mod record;
mod server;
mod settle;
mod wire;

use std::time::Duration;

use anyhow::Context;

pub(super) use client::{ClientOptions, Target};
pub(super) use server::serve;

use super::Arguments;
use super::budget::Budget;
use super::evaluator::Evaluator;
use super::exchange::Exchange;
use super::http::{BodyLimits, Service};
use crate::cli::run::Mode;
use client::Client;
use next::Next;

/// What connections share.
pub(super) struct Forward {
    pub(super) evaluator: Evaluator,
    next: Next,
    pub(super) exchange: Exchange,
    pub(super) budget: Budget,
    pub(super) limits: BodyLimits,
    /// How long a message may take to arrive.
    pub(super) body_time: Duration,
    /// The shared key that senders have to show.
    pub(super) token: Option<String>,
    /// Findings go on, and no events.
    pub(super) findings: bool,
}

impl Forward {
    /// What it shares with the service over HTTP, and a next service.
    pub(super) fn new(arguments: &Arguments, service: &Service) -> anyhow::Result<Self> {
        let next = match arguments.next_by_forward()? {
            Some(options) => Next::Forward(Client::new(options)?),
            None => Next::Http(service.downstream.clone().context("--forward without a next service")?),
        };
        Ok(Forward {
            evaluator: service.evaluator.clone(),
            next,
            exchange: service.exchange.clone(),
            budget: service.budget.clone(),
            limits: service.limits,
            body_time: service.body_time,
            token: arguments.token()?,
            findings: arguments.mode == Mode::Findings,
        })
    }
}
