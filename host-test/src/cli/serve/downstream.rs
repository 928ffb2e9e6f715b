//! The next service: gets what the module gave back, over HTTP, and says whether it has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

/// Pause before a body is offered again: first and longest.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(100);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(5);

/// So much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where events go on to, and how long that may take.
#[derive(Debug, Clone)]
pub(super) struct DownstreamOptions {
    pub(super) url: Url,
    /// Sent as a bearer token.
    pub(super) token: Option<String>,
    /// For one try.
    pub(super) timeout: Duration,
    /// For all tries together.
    pub(super) patience: Duration,
}

/// The next service. Cheap to clone.
#[derive(Clone)]
pub(super) struct Downstream {
    client: Client,
    url: Url,
    /// Its URL without what may be secret.
    name: Arc<str>,
    patience: Duration,
}

/// What is given on.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) content_type: &'static str,
}

/// What became of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It was accepted.
    Delivered,
    /// It is bad, and will be bad the next time.
    Refused { status: u16 },
    /// It could not be given on now.
    Unavailable { reason: String, busy: bool },
}

impl Downstream {
    /// Sets up a client.
    pub(super) fn new(options: &DownstreamOptions) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &options.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .context("the token of --to has characters that a header cannot carry")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .timeout(options.timeout)
            .connect_timeout(options.timeout.min(Duration::from_secs(10)))
            // A redirect would turn the POST into a GET, and lose the body.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tripwasm/", env!("CARGO_PKG_VERSION")))
            .build()
            .with_context(|| format!("no client for {}", name_of(&options.url)))?;
        let name = name_of(&options.url).into();
        Ok(Downstream { client, url: options.url.clone(), name, patience: options.patience })
    }

    /// Offers a body until it is taken or refused, or patience ends.
    pub(super) async fn deliver(&self, body: &Body) -> Delivery {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let delivery = self.deliver_once(body).await;
            let Delivery::Unavailable { reason, .. } = &delivery else { return delivery };
            if began.elapsed() + pause >= self.patience {
                return delivery;
            }
            tracing::warn!(
                to = &*self.name,
                reason,
                "the next service does not take events; they are offered again"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Offers a body once.
    pub(super) async fn deliver_once(&self, body: &Body) -> Delivery {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, body.content_type)
            .body(body.bytes.clone());
        let outcome = match request.send().await {
            Ok(mut response) => {
                let status = response.status();
                let wait = response.headers().get(RETRY_AFTER).is_some();
                // Read to its end, so that the connection can be used again; what has no end is not waited for.
                let mut read = 0;
                while let Ok(Some(chunk)) = response.chunk().await
                    && read < ANSWER_BYTES_MAX
                {
                    read += chunk.len();
                }
                told(status, wait)
            }
            Err(error) => Delivery::Unavailable { reason: error_text(error), busy: false },
        };
        let label = match &outcome {
            Delivery::Delivered => "delivered",
            Delivery::Refused { .. } => "refused",
            Delivery::Unavailable { .. } => "unavailable",
        };
        metrics::counter!("tripwasm_downstream_requests_total", "outcome" => label).increment(1);
        outcome
    }
}

/// What a status says of a body. Only what tells of the body itself refuses it: with other statuses below 500 the next
/// service tells that it is set up otherwise, and the same events may be welcome later.
fn told(status: StatusCode, wait: bool) -> Delivery {
    match status.as_u16() {
        200..=299 => Delivery::Delivered,
        400 | 413 | 415 | 422 if !wait => Delivery::Refused { status: status.as_u16() },
        code => Delivery::Unavailable { reason: format!("it answered {status}"), busy: code == 429 },
    }
}

/// A URL without what may be secret: name and password, and the query.
pub(super) fn name_of(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

fn error_text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text =
        if error.is_timeout() { "it did not answer in time".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_statuses_say_of_events() {
        let of = |code: u16| told(StatusCode::from_u16(code).unwrap(), false);
        for code in [200, 201, 202, 204] {
            assert_eq!(of(code), Delivery::Delivered);
        }
        for code in [400, 413, 415, 422] {
            assert_eq!(of(code), Delivery::Refused { status: code });
        }
        for code in [301, 401, 403, 404, 405, 408, 500, 501, 502, 503, 504] {
            assert!(matches!(of(code), Delivery::Unavailable { busy: false, .. }), "{code}");
        }
        assert!(matches!(of(429), Delivery::Unavailable { busy: true, .. }));
        assert!(matches!(told(StatusCode::BAD_REQUEST, true), Delivery::Unavailable { .. }));
    }

    #[test]
    fn names_hold_no_secrets() {
        let url: Url = "https://name:pass@logs.example:8443/in?key=secret".parse().unwrap();
        assert_eq!(name_of(&url), "https://logs.example:8443/in");
    }
}
