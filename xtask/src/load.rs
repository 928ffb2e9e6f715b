//! What the service costs under load: the same requests straight to the next service, and through `tripwasm serve`.
//!
//! Debian's `hey` makes the load and measures, its `nginx` is the next service. All three share one machine, so what counts
//! is the ratio, and the processor time of the service itself.

use crate::process::{cargo, install_target, target_dir, visibly};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const EVENTS_PER_REQUEST: usize = 200;
const CONNECTIONS: u32 = 8;
const SECONDS: u32 = 10;

/// A server that ends when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `hey` says of one run.
struct Outcome {
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures and prints. `rules` and `events` are paths.
pub(crate) fn load(root: &Path, words: &[&str]) -> Result<()> {
    let (rules, events) = match words {
        [] => ("rules/cloudtrail", "xtask/sample/cloudtrail.ndjson"),
        [events] => ("rules/cloudtrail", *events),
        [events, rules, ..] => (*rules, *events),
    };
    for program in ["hey", "nginx"] {
        let found = Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.with_context(|| format!("{program} is needed: apt-get install hey nginx-light"))?;
    }
    install_target(root)?;
    visibly(cargo(root).args(["build", "--release", "--package", "tripwasm"]))?;
    let tool = target_dir(root).join("release/tripwasm");
    let folder = target_dir(root).join("load");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let module = folder.join("cloudtrail.wasm");
    visibly(Command::new(&tool).current_dir(root).args(["build", rules, "-o"]).arg(&module))?;
    let (body, bytes) = body(&root.join(events), &folder)?;
    let next = free_port()?;
    let _next = Server(nginx(&folder, next)?);
    let port = free_port()?;
    let serving = Command::new(&tool)
        .args(["serve", &module.to_string_lossy(), "--http", &format!("127.0.0.1:{port}")])
        .args(["--to", &format!("http://127.0.0.1:{next}/")])
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start tripwasm serve")?;
    let service = Server(serving);
    wait_for(next)?;
    wait_for(port)?;
    let direct = hey(next, &body, CONNECTIONS, None)?;
    let before = cpu_seconds(service.0.id())?;
    let through = hey(port, &body, CONNECTIONS, None)?;
    let cpu = cpu_seconds(service.0.id())? - before;
    let half = through.requests_per_second / 2.0;
    let direct_half = hey(next, &body, CONNECTIONS, Some(half))?;
    let through_half = hey(port, &body, CONNECTIONS, Some(half))?;
    let events_of = |outcome: &Outcome| outcome.requests_per_second * EVENTS_PER_REQUEST as f64;
    println!(
        "\n{EVENTS_PER_REQUEST} events, {bytes} bytes a request, from {events}; rules {rules}; {CONNECTIONS} connections, {SECONDS} s a run"
    );
    println!("{:<28} {:>12} {:>12} {:>9} {:>9}", "", "requests/s", "events/s", "p50 ms", "p99 ms");
    for (name, outcome) in [
        ("straight, full load", &direct),
        ("through serve, full load", &through),
        ("straight, half of that", &direct_half),
        ("through serve, half of that", &through_half),
    ] {
        let Outcome { requests_per_second, p50_ms, p99_ms } = outcome;
        println!(
            "{name:<28} {requests_per_second:>12.0} {:>12.0} {p50_ms:>9.2} {p99_ms:>9.2}",
            events_of(outcome)
        );
    }
    println!(
        "serve: {:.2} microseconds of processor an event; {:.2} ms added at the median, {:.2} ms at p99, at half load",
        cpu * 1e6 / (events_of(&through) * f64::from(SECONDS)),
        through_half.p50_ms - direct_half.p50_ms,
        through_half.p99_ms - direct_half.p99_ms
    );
    Ok(())
}

/// A body of so many events, from a file with at least one.
fn body(events: &Path, folder: &Path) -> Result<(PathBuf, usize)> {
    let text = fs::read_to_string(events).with_context(|| format!("cannot read {}", events.display()))?;
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('{')).collect();
    ensure!(!lines.is_empty(), "{} holds no event", events.display());
    let body: String = lines.iter().cycle().take(EVENTS_PER_REQUEST).flat_map(|line| [*line, "\n"]).collect();
    let path = folder.join("body.ndjson");
    fs::write(&path, &body)?;
    Ok((path, body.len()))
}

/// Reads every body, and answers 200.
fn nginx(folder: &Path, port: u16) -> Result<Child> {
    let place = folder.display();
    let configuration = format!(
        "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/nginx.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  access_log off; client_max_body_size 64m; client_body_buffer_size 8m; keepalive_requests 1000000;\n  \
         client_body_temp_path {place}/body;\n  server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }}\n}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, configuration)?;
    let mut nginx = Command::new("nginx");
    nginx
        .arg("-c")
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start nginx")
}

fn hey(port: u16, body: &Path, connections: u32, requests_per_second: Option<f64>) -> Result<Outcome> {
    let mut hey = Command::new("hey");
    hey.args(["-m", "POST", "-T", "application/x-ndjson", "-z", &format!("{SECONDS}s")]);
    hey.args(["-c", &connections.to_string(), "-D"]).arg(body);
    if let Some(rate) = requests_per_second {
        hey.args(["-q", &format!("{:.2}", rate / f64::from(connections))]);
    }
    let output = hey.arg(format!("http://127.0.0.1:{port}/")).output().context("cannot run hey")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let others = text.lines().filter(|line| line.trim_start().starts_with('[') && line.contains("responses"));
    ensure!(others.into_iter().all(|line| line.contains("[200]")), "not every answer was 200:\n{text}");
    let number = |line: &str| line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
    let value = |mark: &str| {
        let found = text.lines().find_map(|line| line.trim_start().strip_prefix(mark).and_then(number));
        found.with_context(|| format!("hey does not say `{mark}`:\n{text}"))
    };
    Ok(Outcome {
        requests_per_second: value("Requests/sec:")?,
        p50_ms: value("50% in")? * 1e3,
        p99_ms: value("99% in")? * 1e3,
    })
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the service has ended")?;
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok());
    // Linux counts them in hundredths of a second.
    Ok(ticks.sum::<f64>() / 100.0)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("nothing listens at port {port}")
}
