//! Words that this project does not use, in prose or in names: readers of TensorRT's and PyTorch's documentation would
//! not search for them. A name is split into its words (`tell_layer`, `LayerTeller`), so one list serves both.

/// A word, and what to write instead.
const WORDS: &[(&str, &str)] = &[
    ("beside", "next to, in addition to"),
    ("carried", "computed as, stored as"),
    ("hear", "receive"),
    ("heard", "received"),
    ("hears", "receives"),
    ("lies", "is, is stored"),
    ("said", "reported, stated"),
    ("say", "report, state"),
    ("saying", "reporting, stating"),
    ("says", "reports, states"),
    ("tell", "emit, pass, report"),
    ("teller", "emitter"),
    ("telling", "emitting, passing, reporting"),
    ("tells", "emits, passes, reports"),
    ("told", "emitted, passed, reported"),
];

/// The same for phrases and definitions.
const PHRASES: &[(&str, &str)] = &[
    ("class Kept", "a name that states what is cached, opaque or in FP32"),
    ("put together", "composed, assembled"),
    ("struct Kept", "a name that states what is cached, opaque or in FP32"),
    ("sums of branches", "residual additions"),
    ("taken apart", "decomposed, split"),
];

/// Where the words are listed.
const HERE: &str = "xtask/src/words.rs";

/// The words of the lists in a file, with their lines.
pub fn findings(file: &str, text: &str) -> Vec<String> {
    let is_ours = ["rs", "py", "pyi", "md", "toml"].iter().any(|end| file.ends_with(&format!(".{end}")));
    if !is_ours || file == HERE {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    lines.flat_map(|(index, line)| found(line).map(move |(word, instead)| finding(index + 1, word, instead))).collect()
}

fn finding(line: usize, word: &str, instead: &str) -> String {
    format!("line {line}: `{word}`: write {instead}")
}

fn found(line: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let words = words(line);
    let listed = WORDS.iter().filter(move |(word, _)| words.iter().any(|other| other == word));
    listed.chain(PHRASES.iter().filter(move |(phrase, _)| line.contains(phrase))).copied()
}

/// The words of a line in lower case. A capital letter after a small one begins a word.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for c in line.chars() {
        if !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && previous.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn finds_words_in_prose_and_in_names() {
        for line in ["what it SAYS", "fn told_input()", "struct LayerTeller;", "struct Kept {", "is taken apart"] {
            assert_eq!(findings("a.rs", line).len(), 1, "{line}");
        }
        for line in ["hearing", "essay", "KeptBuilder", "layers kept in FP32", "foretold"] {
            assert_eq!(findings("a.py", line), [""; 0], "{line}");
        }
        assert_eq!(findings("a.snap", "says"), [""; 0]);
    }
}
