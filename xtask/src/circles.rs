//! Circles between sibling modules: a module must not need one that needs it.
//!
//! This reads paths (`crate::a::b`, `super::a`) and imports; it does not resolve names as the compiler does. A module
//! named `error` holds what others report, so that what it needs is not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Path of a module inside its crate; empty for the crate's root.
type Module = Vec<String>;

/// Circles that exist: parent module and members. A new one is a finding, and so is one listed here that is gone.
const KNOWN: &[(&str, &str)] = &[];

/// The circles of all crates that are not known, and the known ones that are gone.
pub fn findings(files: &[String]) -> Vec<String> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, String>> = BTreeMap::new();
    for file in files {
        let Some((root, inside)) = file.split_once("/src/").filter(|_| crate::has_extension(file, "rs")) else {
            continue;
        };
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        if !file.ends_with("tests.rs") {
            crates.entry(root).or_default().insert(module(inside), text);
        }
    }
    let mut found = Vec::new();
    for (root, modules) in &crates {
        for (parent, members) in circles(modules) {
            found.push(([&[(*root).to_owned()][..], &parent].concat().join("/"), members));
        }
    }
    let is_part = |place: &str, members: &[String], known: &(&str, &str)| {
        known.0 == place && members.iter().all(|member| known.1.split(' ').any(|name| name == member))
    };
    let new = found.iter().filter(|(place, members)| !KNOWN.iter().any(|known| is_part(place, members, known)));
    let new = new.map(|(place, members)| {
        let members = members.join(", ");
        format!("{place}: the modules {members} need each other; move what they share to a module that needs neither")
    });
    let gone = KNOWN.iter().filter(|known| !found.iter().any(|(place, members)| is_part(place, members, known)));
    let gone = gone.map(|(place, members)| {
        format!("{place}: {members} is a circle no longer; delete it from KNOWN in xtask/src/circles.rs")
    });
    new.chain(gone).collect()
}

/// `ops/index.rs` → `ops`, `index`; `ops/mod.rs` → `ops`.
fn module(file: &str) -> Module {
    let path = Path::new(file).with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Parent and members of each circle.
fn circles(texts: &BTreeMap<Module, String>) -> Vec<(Module, Vec<String>)> {
    let sources: BTreeMap<&Module, Source> = texts.iter().map(|(module, text)| (module, Source::read(text))).collect();
    let mut needs: BTreeMap<Module, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
    for (from, source) in &sources {
        for to in source.paths.iter().filter_map(|path| resolve(from, path, &sources, 0)) {
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(own), Some(other)) = (from.get(shared), to.get(shared))
                && own != "error"
            {
                needs.entry(from[..shared].to_vec()).or_default().entry(own).or_default().insert(other.clone());
            }
        }
    }
    needs.iter().flat_map(|(parent, needs)| members(needs).into_iter().map(|m| (parent.clone(), m))).collect()
}

/// The groups of modules that reach each other.
fn members(needs: &BTreeMap<&str, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = next.pop() {
            let new = needs.get(module.as_str()).into_iter().flatten().filter(|to| !seen.contains(*to));
            let new: Vec<String> = new.cloned().collect();
            seen.extend(new.iter().cloned());
            next.extend(new);
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<String>> = needs.keys().map(|module| (*module, reached(module))).collect();
    let mut groups = BTreeSet::new();
    for (module, reached) in reach.iter().filter(|(module, reached)| reached.contains(**module)) {
        let mutual = |other: &&String| reach.get(other.as_str()).is_some_and(|back| back.contains(*module));
        groups.insert(reached.iter().filter(mutual).cloned().collect::<Vec<_>>());
    }
    groups.into_iter().collect()
}

/// The module that a path leads to; `None` for another crate's.
fn resolve(from: &Module, path: &[String], sources: &BTreeMap<&Module, Source>, depth: usize) -> Option<Module> {
    let (mut at, mut rest) = (from.clone(), path);
    match rest.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &rest[1..]),
        _ => {
            while let Some(up @ ("self" | "super")) = rest.first().map(String::as_str) {
                if up == "super" {
                    at.pop();
                }
                rest = &rest[1..];
            }
        }
    }
    let child = |at: &Module, name: &str| {
        let child = [at.as_slice(), &[name.to_owned()]].concat();
        sources.contains_key(&child).then_some(child)
    };
    while let Some(next) = rest.first().and_then(|name| child(&at, name)) {
        (at, rest) = (next, &rest[1..]);
    }
    // What the module has from another, under its own name.
    let import = rest.first().and_then(|name| sources.get(&at)?.imports.get(name)).filter(|_| depth < 4);
    let Some(import) = import else { return Some(at) };
    let is_inside = ["crate", "self", "super"].contains(&import[0].as_str()) || child(&at, &import[0]).is_some();
    if is_inside { resolve(&at, import, sources, depth + 1) } else { None }
}

/// What a file refers to.
struct Source {
    /// Paths that begin with `crate`, `self` or `super`.
    paths: Vec<Vec<String>>,
    /// Imported names and where they are from.
    imports: BTreeMap<String, Vec<String>>,
}

impl Source {
    fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut source = Self { paths: Vec::new(), imports: BTreeMap::new() };
        for at in 0..tokens.len() {
            let is_path = ["crate", "self", "super"].contains(&tokens[at].as_str());
            let starts = at == 0 || tokens[at - 1] != "::";
            let follows = tokens.get(at + 1).is_some_and(|token| token == "::");
            if is_path && starts && follows {
                let mut found = Vec::new();
                tree(&tokens, at, &[], &mut found);
                source.paths.extend(found.into_iter().map(|(path, _)| path));
            }
            if tokens[at] == "use" {
                let mut found = Vec::new();
                tree(&tokens, at + 1, &[], &mut found);
                source.imports.extend(found.into_iter().map(|(path, name)| (name, path)));
            }
        }
        source
    }
}

/// A path, or the paths of a group in braces, each with the name that it is imported under. Returns what follows.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(word) = tokens.get(at).filter(|token| token.starts_with(is_word)) {
        path.push(word.clone());
        at += 1;
        match (tokens.get(at).map(String::as_str), tokens.get(at + 1).map(String::as_str)) {
            (Some("::"), Some("{")) => {
                at += 2;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    let is_part = tokens[at].starts_with(is_word);
                    at = if is_part { tree(tokens, at, &path, found) } else { at + 1 };
                }
                return at + 1;
            }
            (Some("::"), Some(next)) if next.starts_with(is_word) => at += 1,
            _ => break,
        }
    }
    let renamed = tokens.get(at).filter(|token| *token == "as").and_then(|_| tokens.get(at + 1));
    let name = renamed.or(path.last()).cloned().unwrap_or_default();
    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
        path.pop();
    }
    found.push((path, name));
    if renamed.is_some() { at + 2 } else { at }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::` and single signs, without comments, texts and what only tests compile.
fn tokens(text: &str) -> Vec<String> {
    let text = match text.find("#[cfg(test)]\nmod ") {
        Some(at) if text[at..].lines().nth(1).is_some_and(|line| line.ends_with('{')) => &text[..at],
        _ => text,
    };
    let mut tokens = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        // A text may hold a path, and a path never stands between quotes.
        let code = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let mut rest = code.split("// ").next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let texts = files.iter().map(|(file, text)| (module(file), (*text).to_owned())).collect();
        circles(&texts)
            .into_iter()
            .map(|(parent, members)| format!("{}: {}", parent.join("/"), members.join(" ")))
            .collect()
    }

    #[test]
    fn circles_are_found_however_a_path_is_written() {
        for (one, other) in [
            ("use crate::b::f;", "use super::a::g;"),
            ("use super::b;", "fn f() { crate::a::g() }"),
            ("use super::{c::h, b::{self, f}};", "use crate::{c, a};"),
            // Through what the parent gives further.
            ("use crate::F;", "use super::a::*;"),
            ("use super::b as other;", "fn f(x: &crate::a::G) {}"),
        ] {
            let files =
                [("lib.rs", "mod a; mod b; mod c; pub use b::F;"), ("a.rs", one), ("b.rs", other), ("c.rs", "")];
            assert_eq!(found(&files), [": a b"], "{one} {other}");
        }
        let nested = [
            ("ops/mod.rs", ""),
            ("ops/a.rs", "use super::b::f;"),
            ("ops/b/mod.rs", ""),
            ("ops/b/c.rs", "use crate::ops::a;"),
        ];
        assert_eq!(found(&nested), ["ops: a b"]);
        let three = [
            ("a.rs", "use crate::b;"),
            ("b.rs", "use crate::c;"),
            ("c.rs", "use crate::a;"),
            ("d.rs", "use crate::a;"),
        ];
        assert_eq!(found(&three), [": a b c"]);
    }

    #[test]
    fn what_is_no_circle_is_not_reported() {
        for (one, other) in [
            ("use crate::b::f;", "// use crate::a;"),
            ("use crate::b::f;", "const A: &str = \"crate::a::g\";"),
            ("use crate::b::f;", "#[cfg(test)]\nmod tests {\n use crate::a::g;\n}"),
            ("use crate::b::f;", "use other::a::g;"),
            ("use crate::b::f;", "use super::top;"),
        ] {
            assert!(found(&[("lib.rs", "fn top() {}"), ("a.rs", one), ("b.rs", other)]).is_empty(), "{other}");
        }
        // An error holds what others report.
        assert!(found(&[("error.rs", "use crate::a::Place;"), ("a.rs", "use crate::error::Error;")]).is_empty());
    }
}
