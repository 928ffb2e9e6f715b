//! Cuts a file into documents by its marker lines, so that an error in one leaves the others readable.
//!
//! YAML allows `---` and `...` at the start of a line nowhere but between documents, so lines are all there is to see.

use crate::source::Source;

/// The text of one document.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// 1-based line of the file at which the text begins.
    pub(crate) line: u32,
    pub(crate) text: String,
}

impl Chunk {
    /// The first line of the file that is no marker, no comment and not blank.
    pub(crate) fn first_content_line(&self) -> u32 {
        let content = (self.line..).zip(self.text.lines()).find(|(_, line)| has_content(line));
        content.map_or(self.line, |(number, _)| number)
    }
}

/// The documents of a file; pieces without content are left out.
pub(crate) fn split(source: &Source<'_>) -> Vec<Chunk> {
    let mut chunks = vec![Chunk { line: 1, text: String::new() }];
    for (number, line) in (1..).zip(source.lines()) {
        if is_marker(line, "---") {
            chunks.push(Chunk { line: number, text: String::new() });
        } else if is_marker(line, "...") {
            chunks.push(Chunk { line: number + 1, text: String::new() });
            continue;
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.text.push_str(line);
            chunk.text.push('\n');
        }
    }
    chunks.retain(|chunk| chunk.text.lines().any(has_content));
    chunks
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn has_content(line: &str) -> bool {
    let line = line.strip_prefix("---").unwrap_or(line).trim();
    !line.is_empty() && !line.starts_with('#')
}
