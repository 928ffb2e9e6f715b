//! The child of rsyslog's mmexternal, alone and under the real daemons: rsyslogd and syslog-ng, found on PATH or named
//! by `RSYSLOGD` and `SYSLOG_NG`.

#[path = "../command/mod.rs"]
mod command;
mod daemon;
mod events;
mod protocol;
mod rsyslog;
mod syslog_ng;
