//! The real syslog-ng.
