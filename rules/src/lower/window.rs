//! The kind of a correlation's windows.

use super::{
    Draft,
    correlation::{Parts, is_first},
};
use crate::{
    block::{self, WindowKind},
    diagnostic::Notes,
    quantity::duration_ms,
    yaml::Map,
};
use rsigma_parser::CorrelationType;
use tripwasm_plan::Window;

const FIRST_SEEN: &str = "first-seen is `event_count` with `eq: 1` alone in a sliding window";

/// How windows lie over events, before first-seen is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Sliding,
    Tumbling,
    Anchored,
    Session { gap_ms: u64 },
}

/// The windows of a correlation.
pub(super) fn window(parts: &Parts<'_>, notes: &mut Notes<'_>) -> Option<Window> {
    let frame = frame(parts.draft, parts.map, notes)?;
    let first_seen = frame == Frame::Sliding
        && parts.rule.correlation_type == CorrelationType::EventCount
        && parts.map.get("condition").is_some_and(is_first);
    if let Some((_, span)) = parts.draft.block.forget_ms.filter(|_| !first_seen) {
        notes.error(span, "`forget` of a correlation that is not first-seen", FIRST_SEEN);
        return None;
    }
    let forget = parts.draft.forget_ms.or(parts.draft.block.forget_ms.map(|(forget, _)| forget));
    let timespan_ms = duration_ms(&parts.rule.timespan.original).ok()?;
    Some(match frame {
        Frame::Sliding if first_seen => Window::FirstSeen { forget_ms: forget.unwrap_or(Some(timespan_ms)) },
        Frame::Sliding => Window::Sliding,
        Frame::Tumbling => Window::Tumbling,
        Frame::Anchored => Window::Anchored,
        Frame::Session { gap_ms } => Window::Session { gap_ms },
    })
}

/// For how long a first-seen correlation learns in silence; the outer `None` is an error.
pub(super) fn learn_ms(parts: &Parts<'_>, window: Window, notes: &mut Notes<'_>) -> Option<Option<u64>> {
    let own = parts.draft.block.learn_ms;
    if let (Some((_, span)), false) = (own, matches!(window, Window::FirstSeen { .. })) {
        notes.error(span, "`learn` of a correlation that is not first-seen", FIRST_SEEN);
        return None;
    }
    Some(parts.draft.learn_ms.or(own.map(|(learn, _)| learn)))
}

/// How windows lie over events, from the `tripwasm` block or from `correlation`.
fn frame(draft: &Draft<'_>, map: &Map, notes: &mut Notes<'_>) -> Option<Frame> {
    let before = notes.list.len();
    let inner = block::correlation_window(map, notes);
    let inner_gap = block::gap(map, notes);
    if notes.list.len() > before {
        return None;
    }
    for (key, own, sigma) in [
        ("window", draft.block.window.map(|(_, span)| span), inner.map(|(_, span)| span)),
        ("gap", draft.block.gap_ms.map(|(_, span)| span), inner_gap.map(|(_, span)| span)),
    ] {
        if let (Some(own), Some(_)) = (own, sigma) {
            notes.error(
                own,
                format!("`{key}` stands in `correlation` and in `tripwasm`"),
                "keep one of them",
            );
            return None;
        }
    }
    let window = draft.block.window.or(inner);
    let gap = draft.block.gap_ms.or(inner_gap);
    let kind = window.map_or(WindowKind::Sliding, |(kind, _)| kind);
    match (kind, gap) {
        (WindowKind::Session, Some((gap_ms, _))) => Some(Frame::Session { gap_ms }),
        (WindowKind::Session, None) => {
            let span = window.map_or(draft.document.span, |(_, span)| span);
            notes.error(
                span,
                "`window: session` without `gap`",
                "add the silence that ends a session, such as `gap: 10m`",
            );
            None
        }
        (_, Some((_, span))) => {
            notes.error(
                span,
                "`gap` means nothing outside `window: session`",
                "remove it, or write `window: session`",
            );
            None
        }
        (WindowKind::Sliding, None) => Some(Frame::Sliding),
        (WindowKind::Tumbling, None) => Some(Frame::Tumbling),
        (WindowKind::Anchored, None) => Some(Frame::Anchored),
    }
}
