//! `tripwasm serve --forward` between a sender and a next service: nothing is lost, whatever happens to either of the three.
//!
//! Sender and next service are written here over another library for MessagePack; where they can be installed, those of
//! Python and Node take both parts, and with `FLUENT_BIT=/path` a real Fluent Bit does.

#[path = "../command/mod.rs"]
mod command;
#[path = "../serve/events.rs"]
#[allow(dead_code, reason = "some of it is for the tests of the service over HTTP")]
mod events;
#[path = "../serve/next_service.rs"]
#[allow(dead_code, reason = "some of it is for the tests of the service over HTTP")]
mod http_service;
#[path = "../serve/process.rs"]
#[allow(dead_code, reason = "some of it is for the tests of the service over HTTP")]
mod process;

mod access;
mod fluent_bit;
mod hostile;
mod ledger;
mod message;
mod modes;
mod next_service;
mod others;
mod sender;
mod service;
