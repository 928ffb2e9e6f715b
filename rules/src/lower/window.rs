//! The kind of a correlation's windows.

use super::Draft;
use crate::{
    block::{self, WindowKind},
    diagnostic::Notes,
    yaml::Map,
};

/// How windows lie over events, before first-seen is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Sliding,
    Tumbling,
    Anchored,
    Session { gap_ms: u64 },
}

/// How windows lie over events, from the `tripwasm` block or from `correlation`.
pub(crate) fn frame(draft: &Draft<'_>, map: &Map, notes: &mut Notes<'_>) -> Option<Frame> {
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
