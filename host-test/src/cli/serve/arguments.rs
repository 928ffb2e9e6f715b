//! Options of `tripwasm serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use reqwest::Url;
use tokio_rustls::TlsAcceptor;

use super::alerts::AlertTarget;
use super::downstream::DownstreamOptions;
use super::forward::{ClientOptions, Target};
use super::http::BodyLimits;
use super::listener;
use super::logs::LogOptions;
use super::mmexternal::Interface;
use crate::cli::run::Mode;
use crate::cli::window_options::{WindowOptions, duration, size};

const EXAMPLES: &str = "\
Examples:
  tripwasm serve cloudtrail.wasm --http 127.0.0.1:8080 --to http://127.0.0.1:8081
      events come in by POST, and go on tagged; the sender is answered when the next service has them
  tripwasm serve cloudtrail.wasm --http 127.0.0.1:8080
      the answer holds the events, tagged:  curl --data-binary @events.ndjson http://127.0.0.1:8080/
  tripwasm serve cloudtrail.wasm --forward 127.0.0.1:24224 --to-forward 127.0.0.1:24225
      between Fluentd, Fluent Bit or Vector and the next one; chunks are acknowledged when the next one has them
  TRIPWASM_TOKEN=... tripwasm serve cloudtrail.wasm --http 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem \\
      --to https://logs.example/in --alerts https://alerts.example/in --state windows.state --idle 5m
  tripwasm serve cloudtrail.wasm --mmexternal --log-file /var/log/tripwasm.log
      what rsyslog starts: pipelines/rsyslog has its configuration

Bodies are NDJSON, JSON arrays or what AWS services wrap around events, plain, gzip or zstd. GET /health, /ready and
/metrics tell how the service is. SIGHUP, and a change of the module's file, exchange the module; SIGTERM ends the service
when all that came in was given on.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// A module that `tripwasm build` wrote
    #[arg(value_name = "MODULE")]
    pub(super) module: PathBuf,
    /// Take events by HTTP at this address
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http: Option<SocketAddr>,
    /// Take events by Fluentd's forward protocol at this address; they go on by --to-forward, or as NDJSON by --to
    #[arg(long, value_name = "ADDRESS")]
    pub(super) forward: Option<SocketAddr>,
    /// Give events of --forward on by the forward protocol, to HOST:PORT or tls://HOST:PORT
    #[arg(long, value_name = "ADDRESS", requires = "forward")]
    pub(super) to_forward: Option<Target>,
    /// Answer rsyslog's mmexternal on standard input and output; says what its interface.input is
    #[arg(long, value_enum, value_name = "INPUT", num_args = 0..=1, default_missing_value = "msg")]
    #[arg(conflicts_with_all = ["http", "forward", "to"])]
    pub(super) mmexternal: Option<Interface>,
    /// Give events on to this URL, by POST; without it they are in the answer
    #[arg(long, value_name = "URL")]
    pub(super) to: Option<Url>,
    /// What is given on
    #[arg(long, value_enum, default_value_t)]
    pub(super) mode: Mode,
    /// Where closed and withdrawn alerts go: a file, an http or https URL, or `-` for standard output
    #[arg(long, value_name = "FILE|URL|-")]
    pub(super) alerts: Option<AlertTarget>,
    /// Keep open windows in a file, and a journal beside it: nothing of them is lost when the process is killed
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// When no events come for so long, close windows by the wall clock
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) idle: Option<Duration>,
    #[command(flatten)]
    pub(super) windows: WindowOptions,
    /// Instances that evaluate at a time; the processors there are, if not given. Rules with windows have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
    /// How long requests that were taken may go on when the service ends
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(super) drain: Duration,
    /// Do not keep or use compiled code in the user's cache directory
    #[arg(long)]
    pub(super) no_cache: bool,
    #[command(flatten)]
    pub(super) limits: Limits,
    #[command(flatten)]
    access: Access,
    /// Health, readiness and metrics at an address of their own, too
    #[arg(long, value_name = "ADDRESS", help_heading = "Watching")]
    pub(super) admin: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) log: LogOptions,
}

/// What others may take of this process.
#[derive(Debug, Args)]
pub(super) struct Limits {
    /// Largest body as it is sent
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32MiB", help_heading = "Limits")]
    body_max: u64,
    /// Largest body unpacked
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "128MiB", help_heading = "Limits")]
    unpacked_max: u64,
    /// Memory that all requests may take together; beyond it senders are told to come later
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512MiB", help_heading = "Limits")]
    pub(super) requests_memory: u64,
    /// Connections kept at a time
    #[arg(long, value_name = "N", default_value_t = 512, help_heading = "Limits")]
    pub(super) connections_max: usize,
    /// How long a body may take to arrive
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s", help_heading = "Limits")]
    pub(super) body_time: Duration,
    /// How long the next service may take to answer one try
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s", help_heading = "Limits")]
    to_time: Duration,
    /// How long events are offered to the next service before their sender is told to come later. Less than the time
    /// that the sender waits
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s", help_heading = "Limits")]
    to_patience: Duration,
}

/// Who may send, and how this process shows itself.
#[derive(Debug, Args)]
struct Access {
    /// A file with the token that senders have to show, `Authorization: Bearer TOKEN` or as the shared key of the forward
    /// protocol; or the variable TRIPWASM_TOKEN
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    token_file: Option<PathBuf>,
    #[arg(long, env = "TRIPWASM_TOKEN", hide = true, hide_env_values = true)]
    token: Option<String>,
    /// A file with the token for --to or --to-forward; or the variable TRIPWASM_TO_TOKEN
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    to_token_file: Option<PathBuf>,
    #[arg(long, env = "TRIPWASM_TO_TOKEN", hide = true, hide_env_values = true)]
    to_token: Option<String>,
    /// Speak TLS with this chain of certificates, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Access")]
    tls_cert: Option<PathBuf>,
    /// The key of the first certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Access")]
    tls_key: Option<PathBuf>,
}

impl Arguments {
    /// Refuses what cannot be meant.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.mmexternal.is_some() {
            ensure!(
                self.mode != Mode::Findings,
                "--mode findings: rsyslog takes events; give tag, filter or drop"
            );
            ensure!(
                self.alerts != Some(AlertTarget::StandardOutput),
                "--alerts -: standard output is rsyslog's; give a file or a URL"
            );
            return Ok(());
        }
        ensure!(
            self.http.is_some() || self.forward.is_some(),
            "serve what? Give --http ADDRESS, such as --http 127.0.0.1:8080, or --forward ADDRESS"
        );
        self.check_forward()?;
        let open = [self.http, self.forward, self.admin]
            .into_iter()
            .flatten()
            .find(|address| !address.ip().is_loopback());
        if let Some(address) = open
            && self.token()?.is_none()
        {
            bail!(
                "{address} is open to other machines: give a token (--token-file or TRIPWASM_TOKEN), or listen on 127.0.0.1"
            );
        }
        let least = self.limits.body_max + 2 * self.limits.unpacked_max;
        ensure!(
            self.limits.requests_memory >= least,
            "--requests-memory has to be at least --body-max and twice --unpacked-max: {} MiB",
            least.div_ceil(1 << 20)
        );
        ensure!(self.limits.connections_max > 0, "--connections-max 0 takes no events");
        Ok(())
    }

    fn check_forward(&self) -> anyhow::Result<()> {
        let Arguments { http, forward, to, to_forward, mode, .. } = self;
        ensure!(
            forward.is_none() || to.is_some() || to_forward.is_some(),
            "--forward has nobody to give events on to: the protocol has no way back for them. Give --to-forward HOST:PORT \
             or --to URL"
        );
        ensure!(
            to_forward.is_none() || http.is_none() || to.is_some(),
            "--to-forward takes the events of --forward alone: give --to URL for those of --http"
        );
        ensure!(
            to_forward.is_none() || http.is_some() || to.is_none(),
            "--forward has one next service: give --to-forward or --to"
        );
        ensure!(
            to_forward.is_none() || *mode != Mode::Findings,
            "--mode findings gives lines on, and the forward protocol takes records: give --to URL"
        );
        Ok(())
    }

    /// What senders have to show.
    pub(super) fn token(&self) -> anyhow::Result<Option<String>> {
        secret(self.access.token.as_ref(), self.access.token_file.as_deref())
    }

    /// What this process shows to the next service.
    pub(super) fn to_token(&self) -> anyhow::Result<Option<String>> {
        secret(self.access.to_token.as_ref(), self.access.to_token_file.as_deref())
    }

    pub(super) fn tls(&self) -> anyhow::Result<Option<TlsAcceptor>> {
        let Access { tls_cert: Some(certificates), tls_key: Some(key), .. } = &self.access else {
            return Ok(None);
        };
        listener::tls(certificates, key).map(Some)
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        BodyLimits {
            sent_bytes_max: bytes(self.limits.body_max),
            unpacked_bytes_max: bytes(self.limits.unpacked_max),
        }
    }

    /// How events go on by the forward protocol, if they do.
    pub(super) fn next_by_forward(&self) -> anyhow::Result<Option<ClientOptions>> {
        let Some(target) = self.to_forward.clone() else { return Ok(None) };
        let Limits { to_time: timeout, to_patience: patience, .. } = self.limits;
        Ok(Some(ClientOptions { target, token: self.to_token()?, timeout, patience }))
    }

    pub(super) fn next_service(&self, url: Url, token: Option<String>) -> DownstreamOptions {
        DownstreamOptions { url, token, timeout: self.limits.to_time, patience: self.limits.to_patience }
    }
}

/// A secret: from a file, which others cannot read off the list of processes, or from the environment.
fn secret(given: Option<&String>, file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let text = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("cannot read a token from {}", path.display()))?)
        }
        None => given.cloned(),
    };
    let text = text.map(|text| text.trim().to_owned());
    ensure!(text.as_deref() != Some(""), "the token is empty");
    Ok(text)
}
