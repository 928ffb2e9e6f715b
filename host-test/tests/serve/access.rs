//! Who may send, and over what.

use std::fs;
use std::time::Duration;

use crate::command::{said, tripwasm};
use crate::events::event;
use crate::next_service::NextService;
use crate::process::{Serve, with_rules};
use crate::sender::post;

#[test]
fn an_open_address_needs_a_token() {
    let (_directory, path) = with_rules();
    for options in [["--http", "0.0.0.0:0"], ["--http", "[::]:0"]] {
        let output = tripwasm(&path, &[&["serve", "cloudtrail.wasm"], &options[..]].concat(), b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("give a token"), "{}", said(&output));
    }
    let serve = Serve::start_with(&path, "0.0.0.0:0", &[], &[("TRIPWASM_TOKEN", "secret")]);
    let url = format!("http://127.0.0.1:{}/", serve.address.port());
    assert_eq!(post(&url, &[("authorization", "Bearer secret")], event(0)).0, 200);
    for header in [("authorization", "Bearer secre"), ("x-other", "secret")] {
        let (code, text) = post(&url, &[header], event(0));
        assert_eq!(code, 401, "{header:?}");
        assert!(text.contains("Authorization: Bearer"), "{text}");
    }
    let metrics = crate::process::reqwest_get(&format!("{url}metrics"));
    assert!(metrics.contains("show the token"), "{metrics}");
    assert_eq!(crate::process::reqwest_get(&format!("{url}health")), "ok\n");
}

#[test]
fn a_token_comes_from_a_file_too() {
    let (_directory, path) = with_rules();
    fs::write(path.join("token"), "secret\n").unwrap();
    let serve = Serve::start(&path, &["--token-file", "token"]);
    assert_eq!(post(&serve.url("/"), &[("authorization", "Bearer secret")], event(0)).0, 200);
    assert_eq!(post(&serve.url("/"), &[], event(0)).0, 401);
    fs::write(path.join("token"), "\n").unwrap();
    let output =
        tripwasm(&path, &["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--token-file", "token"], b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn tls() {
    let (_directory, path) = with_rules();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path.join("cert.pem"), issued.cert.pem()).unwrap();
    fs::write(path.join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
    let serve = Serve::start(&path, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = reqwest::Certificate::from_pem(issued.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("https://localhost:{}/", serve.address.port());
    let answer =
        runtime.block_on(async { client.post(url).body(event(0)).send().await.unwrap().text().await });
    assert_eq!(answer.unwrap(), event(0));
    let output = tripwasm(
        &path,
        &[
            "serve",
            "cloudtrail.wasm",
            "--http",
            "127.0.0.1:0",
            "--tls-cert",
            "key.pem",
            "--tls-key",
            "key.pem",
        ],
        b"",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("key.pem holds no certificate"), "{}", said(&output));
}

#[test]
fn what_cannot_be_meant_is_refused_before_the_first_event() {
    let (_directory, path) = with_rules();
    for (options, says) in [
        (&["serve", "cloudtrail.wasm"][..], "--http"),
        (&["serve", "missing.wasm", "--http", "127.0.0.1:0"], "missing.wasm"),
        (&["serve", "rules.yml", "--http", "127.0.0.1:0"], "rules.yml"),
        (&["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--to", "nowhere"], "--to"),
        (
            &["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--alerts", "no/such/folder"],
            "no/such/folder",
        ),
        (
            &["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--requests-memory", "1MiB"],
            "--requests-memory",
        ),
        (&["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--state", "rules.yml"], "rules.yml"),
        (&["serve", "cloudtrail.wasm", "--http", "192.0.2.1:1", "--token-file", "rules.yml"], "192.0.2.1:1"),
    ] {
        let output = tripwasm(&path, options, b"");
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(said(&output).contains(says), "{options:?}: {}", said(&output));
    }
    let _serve = Serve::start(&path, &["--state", "windows.state"]);
    let output = tripwasm(
        &path,
        &["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0", "--state", "windows.state"],
        b"",
    );
    assert!(said(&output).contains("in use by another tripwasm"), "{}", said(&output));
}

#[test]
fn secrets_are_not_told() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let mut serve = Serve::start_with(
        &path,
        "127.0.0.1:0",
        &["--to", &next.url(), "--log-level", "trace"],
        &[("TRIPWASM_TOKEN", "in-secret"), ("TRIPWASM_TO_TOKEN", "out-secret")],
    );
    let (code, _) = post(&serve.url("/"), &[("authorization", "Bearer in-secret")], event(0));
    assert_eq!(code, 200);
    std::thread::sleep(Duration::from_millis(100));
    serve.signal("-TERM");
    serve.wait();
    let log = format!("{:?}", serve.log());
    assert!(!log.contains("in-secret") && !log.contains("out-secret"), "{log}");
}
