//! The length of lines: the limit, a check of sources, and paragraphs of generated documents that keep to it.

/// The most columns of a line.
pub const MAX_COLUMNS: usize = 120;

/// The lines with too many columns. A row of a Markdown table is one line, so its length is not limited.
pub fn findings(extension: &str, text: &str) -> Vec<String> {
    if !["rs", "py", "pyi", "toml", "md"].contains(&extension) {
        return Vec::new();
    }
    let is_row = |line: &str| extension == "md" && line.trim_start().starts_with('|');
    let columns = text.lines().enumerate().map(|(index, line)| (index + 1, line, columns(line)));
    let wide = columns.filter(|(_, line, columns)| *columns > MAX_COLUMNS && !is_row(line));
    wide.map(|(line, _, columns)| format!("line {line} has {columns} columns (at most {MAX_COLUMNS})")).collect()
}

/// A paragraph of Markdown in lines of at most [`MAX_COLUMNS`], none of which begins as a list or a heading would.
pub fn filled(paragraph: &str) -> String {
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let is_marker = matches!(word, "-" | "+" | "*") || word.starts_with('#');
        let last =
            lines.last_mut().filter(|line| line.is_empty() || is_marker || columns(line) + columns(word) < MAX_COLUMNS);
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::{columns, filled, findings};

    #[test]
    fn finds_lines_that_are_too_long() {
        let (fits, wide) = ("é".repeat(120), "é".repeat(121));
        assert_eq!(findings("md", &format!("{fits}\n{wide}\n| {wide} |\n")), ["line 2 has 121 columns (at most 120)"]);
        assert_eq!(findings("rs", &format!("//! | {wide} |\n")).len(), 1);
        assert!(findings("snap", &wide).is_empty());
    }

    #[test]
    fn fills_lines_without_making_lists() {
        let text = filled(&["word ".repeat(23), "four - five".into()].concat());
        assert!(text.lines().all(|line| columns(line) <= 122 && !line.starts_with('-')), "{text}");
        assert_eq!(text.split_whitespace().count(), 26);
    }
}
