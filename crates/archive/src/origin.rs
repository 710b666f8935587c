//! Where a node comes from: the module path and the line of the user's code.
//!
//! The line wanted is the one that the user wrote: the innermost frame outside of the torch package (a library such as
//! torchvision counts as the model's code). Only when the whole stack is inside torch, as for a bare `nn.Linear`, is it
//! torch's own. The rules are those of `python/torch2trt/capture/origin.py`, but that the torch package is known by the
//! folder that it was installed to, on a machine that may be another.

use crate::model::Metadata;
use program::Source;

/// The source of a node, as far as PyTorch recorded it.
pub(crate) fn source(metadata: &Metadata) -> Source {
    let frames: Vec<Frame<'_>> = frames(&metadata.stack_trace).collect();
    let user = frames.iter().rev().find(|frame| is_user_code(frame.file));
    let module = metadata.nn_module_stack.rsplit(';').next().and_then(|entry| entry.split(',').nth(1));
    let module = module.map(module_path).unwrap_or_default();
    match user.or(frames.last()) {
        Some(frame) => {
            Source { module, file: frame.file.to_owned(), line: frame.line, function: frame.function.to_owned() }
        }
        None => Source { module, ..Source::default() },
    }
}

struct Frame<'a> {
    file: &'a str,
    line: u32,
    function: &'a str,
}

/// `File "net.py", line 3, in forward`, as often as it stands there.
fn frames(trace: &str) -> impl Iterator<Item = Frame<'_>> {
    trace.split("File \"").skip(1).filter_map(|text| {
        let (file, rest) = text.split_once("\", line ")?;
        let (line, rest) = rest.split_once(", in ")?;
        let function = rest.lines().next().filter(|function| !function.is_empty())?;
        (!file.contains('"')).then_some(Frame { file, line: line.parse().ok()?, function })
    })
}

/// Whether a file belongs to the model rather than to torch or to the Python half of this project.
fn is_user_code(file: &str) -> bool {
    let file = file.replace('\\', "/");
    let installed = ["-packages/torch/", "-packages/torch2trt/", "/torch/nn/modules/", "/torch/nn/functional.py"];
    !file.starts_with('<') && !installed.iter().any(|part| file.contains(part))
}

/// The path of a module, without the spellings of "the model itself" and of a repeated call.
fn module_path(path: &str) -> String {
    let root = ["L__self__", "L['self']"].into_iter().find_map(|root| path.strip_prefix(root));
    let path = match root {
        Some(rest) => rest.strip_prefix(['.', '_']).unwrap_or(rest),
        None => path,
    };
    let path = path.replace("['", ".").replace("']", "").replace("_modules.", "");
    let called =
        path.rsplit_once('@').filter(|(_, count)| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()));
    called.map_or(path.as_str(), |(path, _)| path).trim_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(trace: &str, stack: &str) -> Source {
        source(&Metadata { stack_trace: trace.to_owned(), nn_module_stack: stack.to_owned() })
    }

    #[test]
    fn the_innermost_line_outside_of_torch_counts() {
        let own = "File \"/home/me/net.py\", line 12, in forward\n    y = self.c(x)\n";
        let lib =
            "  File \"/usr/lib/python3/dist-packages/torch/nn/modules/conv.py\", line 385, in forward\n    return x\n";
        let found = read(&format!("{own}{lib}"), "L__self__,,net.M;L__self__c,c,torch.nn.modules.conv.Conv1d");
        assert_eq!((found.file.as_str(), found.line, found.function.as_str()), ("/home/me/net.py", 12, "forward"));
        assert_eq!(found.to_string(), "c net.py:12");
        assert_eq!(read(lib, "").to_string(), "(model) conv.py:385");
        assert_eq!(read("", ""), Source::default());
        assert_eq!(read("File \"a.py\", line x, in f\nFile \"b", "x").file, "");
    }

    #[test]
    fn module_paths_are_plain() {
        for (path, expected) in [
            ("", ""),
            ("layer1.0.conv", "layer1.0.conv"),
            ("L__self__", ""),
            ("L__self___layer1", "layer1"),
            ("L['self']._modules.layers._modules['0']", "layers.0"),
            ("encoder@1", "encoder"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(module_path(path), expected, "{path}");
        }
    }
}
