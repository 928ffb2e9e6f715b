//! `tripwasm serve`: the module between two services.
//!
//! What comes in is cut into batches, waits in a short queue (`evaluator`) for the threads that own instances (`worker`),
//! and goes on to the next service (`downstream`). Whoever sent it is answered then. Closed alerts go their own way
//! (`alerts`); windows are kept on the disk (`keeper`, `journal`); the module is exchanged while all that goes on (`reload`).
//!
//! Invariants: an event is acknowledged once somebody else has it; what waits is bounded, and a full queue says "later".

mod alerts;
mod arguments;
mod budget;
mod connections;
mod counts;
mod downstream;
mod evaluator;
mod exchange;
mod forward;
mod http;
pub(super) mod journal;
mod keeper;
mod listener;
mod logs;
mod mmexternal;
mod reload;
mod worker;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tripwasm::{CompileCache, Module, Runtime, RuntimeOptions};

use super::Outcome;
use super::run::load;
use alerts::{AlertQueue, AlertSink};
pub(super) use arguments::Arguments;
use budget::Budget;
use downstream::Downstream;
use evaluator::{Evaluator, Workers};
use exchange::Exchange;
use forward::Forward;
use http::Service;
use listener::Listener;
use mmexternal::Conversation;
pub(super) use mmexternal::ReplyPipe;
use worker::{Duties, Worker};

/// Answers that are kept for senders who come again, in bytes of their events.
const ANSWERS_BYTES_MAX: usize = 64 << 20;

/// How long alerts are offered to their sink at the end.
const ALERTS_PATIENCE: Duration = Duration::from_secs(5);

/// Latencies that the histogram of requests tells apart, in seconds.
const LATENCIES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// More threads than one machine's senders feed.
const WORKERS_MAX: usize = 16;

pub(super) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    arguments.check()?;
    if arguments.mmexternal.is_none() {
        logs::to_file(&arguments.log)?;
    }
    logs::begin(&arguments.log);
    // Only one of them is compiled in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCIES)?
        .install_recorder()?;
    let cache = if arguments.no_cache { CompileCache::Off } else { CompileCache::PerUser };
    let runtime = Runtime::new(RuntimeOptions { cache })?;
    let module = load(&runtime, &arguments.module)?;
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = threads.block_on(serve(arguments, runtime, module, metrics));
    // What still waits for a silent client has been told already.
    threads.shutdown_timeout(Duration::from_secs(1));
    outcome.map(|()| Outcome::Done)
}

async fn serve(
    arguments: Arguments,
    runtime: Runtime,
    module: Module,
    metrics: PrometheusHandle,
) -> anyhow::Result<()> {
    let hangups = reload::hangups()?;
    // A child of rsyslog ends with its input.
    let interruption = arguments.mmexternal.is_none().then(interruption).transpose()?;
    let mut interrupted = std::pin::pin!(async {
        match interruption {
            Some(interruption) => interruption.await,
            None => std::future::pending().await,
        }
    });
    tokio::spawn(counts::upkeep(metrics.clone()));
    let (sink, alerts) = alert_sink(&arguments)?;
    let (evaluator, workers) = tokio::select! {
        started = start(&arguments, &module, alerts.clone()) => started?,
        // What the journal holds it holds for the next start, too.
        () = &mut interrupted => return Ok(()),
    };
    let service = service(&arguments, evaluator.clone(), metrics)?;
    let ending = service.ending.clone();
    let places = arguments.limits.connections_max;
    let tls = arguments.tls()?;
    let (end, ended) = watch::channel(false);
    let mut listening = Vec::new();
    for (address, routes) in [
        (arguments.http, http::routes(service.clone())),
        (arguments.admin, http::admin_routes(service.clone())),
    ] {
        let Some(address) = address else { continue };
        let listener = Listener::bind(address, tls.clone(), places).await?;
        tracing::info!(address = %listener.address()?, tls = tls.is_some(), "listening");
        let mut ended = ended.clone();
        let ending = async move { drop(ended.wait_for(|ended| *ended).await) };
        listening.push(tokio::spawn(http::serve(listener, routes, ending, arguments.drain)));
    }
    if let Some(address) = arguments.forward {
        let listener = Listener::bind(address, tls.clone(), places).await?;
        tracing::info!(address = %listener.address()?, tls = tls.is_some(), "listening for the forward protocol");
        let forward = Forward::new(&arguments, &service)?;
        listening.push(tokio::spawn(forward::serve(listener, forward, ended, arguments.drain)));
    }
    drop(service);
    let reloading =
        tokio::spawn(reload::watch(hangups, runtime, arguments.module.clone(), evaluator.clone()));
    tracing::info!(module = module.sha256(), rules = module.info().rules.len(), "ready");
    match arguments.mmexternal {
        Some(interface) => Conversation::begin(interface, evaluator.clone())?.end(arguments.drain).await?,
        None => interrupted.await,
    }
    tracing::info!("ending: no more events are taken, those that were taken are given on");
    ending.store(true, Ordering::Relaxed);
    end.send_replace(true);
    alerts.take_the_last_ones();
    for listener in listening {
        let _ = listener.await;
    }
    reloading.abort();
    let _ = reloading.await;
    drop(evaluator);
    tokio::task::spawn_blocking(move || finish(workers, sink)).await?;
    Ok(())
}

/// Waits for the threads, then for the alerts.
fn finish(workers: Workers, sink: Option<AlertSink>) {
    workers.join();
    for line in sink.map(|sink| sink.end(Instant::now() + ALERTS_PATIENCE)).unwrap_or_default() {
        let alert = String::from_utf8_lossy(&line);
        tracing::error!(%alert, "an alert was taken by nobody; with --state it is offered again by the next start");
    }
    tracing::info!("ended");
}

fn alert_sink(arguments: &Arguments) -> anyhow::Result<(Option<AlertSink>, AlertQueue)> {
    let Some(target) = arguments.alerts.clone() else { return Ok((None, AlertQueue::nowhere())) };
    let http = match &target {
        alerts::AlertTarget::Http(url) => Some(Downstream::new(&arguments.next_service(url.clone(), None))?),
        _ => None,
    };
    let (sink, queue) = AlertSink::start(target, http, tokio::runtime::Handle::current())?;
    Ok((Some(sink), queue))
}

/// Starts the threads of the module, with what was kept of its windows.
async fn start(
    arguments: &Arguments,
    module: &Module,
    alerts: AlertQueue,
) -> anyhow::Result<(Evaluator, Workers)> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Windows see all events, in one instance.
    let workers =
        if module.info().levels == 0 { arguments.threads.map_or(processors, usize::from) } else { 1 };
    // Rsyslog starts as many children as it has threads, and sends one message at a time.
    let from_rsyslog = arguments.mmexternal.is_some();
    let workers = if from_rsyslog { 1 } else { workers.min(WORKERS_MAX) };
    let (evaluator, queue) = Evaluator::new(module.clone());
    let duties = Duties { mode: arguments.mode, idle: arguments.idle, alerts, windows: arguments.windows };
    let state = arguments.state.clone();
    let module = module.clone();
    // The journal of a large state takes a while.
    let started = tokio::task::spawn_blocking(move || {
        let mut started = Vec::new();
        for number in 0..workers {
            let mut worker = Worker::new(number, &queue, &module, duties.clone())?;
            if let (0, Some(path)) = (number, &state) {
                let fresh = || Worker::new(number, &queue, &module, duties.clone());
                match from_rsyslog {
                    true => worker = mmexternal::keep(worker, path, &module, fresh)?,
                    false => worker.keep(path, &module)?,
                }
            }
            started.push(worker);
        }
        queue.start(started)
    });
    Ok((evaluator, started.await??))
}

fn service(
    arguments: &Arguments,
    evaluator: Evaluator,
    metrics: PrometheusHandle,
) -> anyhow::Result<Service> {
    let token = arguments.token()?;
    let to = arguments.to.clone().map(|url| {
        let token = arguments.to_token()?;
        Downstream::new(&arguments.next_service(url, token))
    });
    Ok(Service {
        evaluator,
        downstream: to.transpose()?,
        exchange: Exchange::new(ANSWERS_BYTES_MAX),
        budget: Budget::new(arguments.limits.requests_memory),
        limits: arguments.body_limits(),
        body_time: arguments.limits.body_time,
        token: token.as_deref().map(http::Token::new),
        metrics,
        ending: Arc::new(AtomicBool::new(false)),
    })
}

/// SIGTERM or Ctrl-C, heard from now on.
fn interruption() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        // The second one ends the process at once.
        tokio::spawn(async move {
            interrupted.recv().await;
            std::process::exit(130);
        });
    })
}
