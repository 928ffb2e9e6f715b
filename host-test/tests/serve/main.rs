//! `tripwasm serve --http` between a sender and a next service: nothing is lost, whatever happens to either of the three.
//!
//! The sender behaves as Vector's http sink does, the next service as its http_server source: which codes bring a batch
//! back, which drop it, what is waited for. With `VECTOR=/path` a real Vector takes both parts, too.

#[path = "../command/mod.rs"]
mod command;

mod abuse;
mod access;
mod answers;
mod crowd;
mod events;
mod firehose;
mod ledger;
mod next_service;
mod process;
mod reload;
mod sender;
mod vector;
mod windows;
