//! What bounds everybody: reading JSON with serde_json from below, moving and looking at bytes from above.

use anyhow::{Result, bail};
use bench_protocol::{Contestant, Job, Lines, Ready, Tally, gzipped, serve};
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use std::borrow::Cow;
use std::hint::black_box;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Copied at a time; larger than the caches, so that the bytes come from memory.
const COPY_BYTES: usize = 64 << 20;
/// Unzipped at a time, as `tripwasm run` does it.
const UNZIPPED_BYTES: usize = 256 << 10;

/// A measure of the machine or of a library, without rules.
struct Bound {
    kind: Kind,
    events: u64,
    bytes: u64,
    target: Vec<u8>,
}

enum Kind {
    /// Every event becomes a `serde_json::Value`.
    Value,
    /// Nine fields of every event become a struct that borrows them.
    Struct,
    /// The bytes are copied to another place in memory.
    Copy,
    /// The line breaks are counted.
    Newlines,
    /// The same bytes as gzip are unzipped.
    Unzip { file: PathBuf, bytes: Vec<u8> },
}

/// The fields that the six seeds read, but for those of correlations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'e> {
    #[serde(borrow, default)]
    event_name: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    event_source: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    error_code: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    aws_region: Option<Cow<'e, str>>,
    #[serde(borrow, default, rename = "sourceIPAddress")]
    source_ip_address: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    user_agent: Option<Cow<'e, str>>,
    #[serde(default)]
    read_only: Option<bool>,
    #[serde(borrow, default)]
    event_type: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    user_identity: Option<Identity<'e>>,
}

#[derive(Debug, Deserialize)]
struct Identity<'e> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'e, str>>,
}

impl Event<'_> {
    /// Something that depends on every field, so that none is left out by the compiler.
    fn present(&self) -> usize {
        let texts = [
            &self.event_name,
            &self.event_source,
            &self.error_code,
            &self.aws_region,
            &self.source_ip_address,
            &self.user_agent,
            &self.event_type,
        ];
        let kind = self.user_identity.as_ref().and_then(|identity| identity.kind.as_ref());
        texts.into_iter().flatten().count()
            + usize::from(self.read_only.is_some())
            + usize::from(kind.is_some())
    }
}

impl Contestant for Bound {
    fn holds_data(&self) -> bool {
        !matches!(self.kind, Kind::Unzip { .. })
    }

    fn ready(&self) -> Ready {
        Ready::with_rules(0)
    }

    fn renew(&mut self) -> Result<()> {
        match &mut self.kind {
            // Written once before, so that no page is new to the copy.
            Kind::Copy => self.target = vec![1; COPY_BYTES],
            Kind::Unzip { file, bytes } => {
                *bytes = std::fs::read(file)?;
                self.target = vec![1; UNZIPPED_BYTES];
            }
            Kind::Value | Kind::Struct | Kind::Newlines => {}
        }
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        (self.events, self.bytes) = (0, data.len() as u64);
        match &self.kind {
            Kind::Value => {
                for line in Lines::of(data) {
                    black_box(serde_json::from_slice::<serde_json::Value>(line)?);
                    self.events += 1;
                }
            }
            Kind::Struct => {
                for line in Lines::of(data) {
                    black_box(serde_json::from_slice::<Event<'_>>(line)?.present());
                    self.events += 1;
                }
            }
            Kind::Copy => {
                for piece in data.chunks(COPY_BYTES) {
                    if let Some(target) = self.target.get_mut(..piece.len()) {
                        target.copy_from_slice(piece);
                    }
                    black_box(&mut self.target);
                }
            }
            Kind::Newlines => self.events = memchr::memchr_iter(b'\n', black_box(data)).count() as u64,
            Kind::Unzip { bytes, .. } => {
                let mut unzipped = MultiGzDecoder::new(bytes.as_slice());
                loop {
                    let read = unzipped.read(&mut self.target)?;
                    if read == 0 {
                        break;
                    }
                    self.bytes += read as u64;
                }
            }
        }
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        Ok(Tally { events: self.events, bytes: self.bytes, ..Tally::default() })
    }
}

fn prepare(job: &Job) -> Result<Bound> {
    let kind = match job.variant.as_str() {
        "value" => Kind::Value,
        "struct" => Kind::Struct,
        "memcpy" => Kind::Copy,
        "newlines" => Kind::Newlines,
        "gunzip" => Kind::Unzip { file: gzipped(&job.data)?, bytes: Vec::new() },
        other => bail!("no contestant `{other}` here"),
    };
    Ok(Bound { kind, events: 0, bytes: 0, target: Vec::new() })
}

fn main() -> ExitCode {
    serve(prepare)
}
