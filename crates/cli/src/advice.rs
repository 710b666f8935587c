//! Help in the terms of the command line. The facade's errors name arguments of Python's `torch2trt()`, because most of
//! its users have it from there.

/// What Python users write, and what is written here instead. Longer forms come before their parts.
const TERMS: &[(&str, &str)] = &[
    (" (torch.cuda.empty_cache() returns what PyTorch holds)", ""),
    ("plugins=[\"/path/to/libmyplugin.so\"]", "--plugin /path/to/libmyplugin.so"),
    ("tensorrt=\"/path/to/libnvinfer.so\"", "--tensorrt /path/to/libnvinfer.so"),
    ("hardware_compatible=True", "--hardware-compatible"),
    ("version_compatible=True", "--version-compatible"),
    ("refittable=True", "--refittable"),
    ("pass fallback=True", "pass --fallback"),
    ("trusted=True", "--trusted"),
    ("threads=1", "--threads 1"),
    ("give `calibration` more", "give --calibration more"),
    ("(keep_fp32)", "(--keep-fp32)"),
    ("verify=False", "--no-verify"),
    ("convert with precision float16 or float32", "build with --fp16, or in float32"),
    ("max_shapes", "--max-shape"),
    ("min_shapes", "--min-shape"),
    ("opt_shapes", "--opt-shape"),
    ("(dynamic_shapes)", "(dynamic_shapes of torch.export.export)"),
    ("convert the module around it yourself", "convert in Python with a converter for the module around it"),
    ("`model_trt.save(path)`", "`model_trt.save(path)` in Python and by `torch2trt build`"),
    ("loaded with `torch2trt.load_plan(path)`", "run with `torch2trt run`"),
];

/// The help of an error, as the command line shows it.
pub(crate) fn for_command_line(help: &str) -> String {
    TERMS.iter().fold(help.to_owned(), |help, (python, here)| help.replace(python, here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::path::Path;

    /// Every option of every command.
    fn options() -> Vec<String> {
        let command = crate::Arguments::command();
        let all = command.get_subcommands().flat_map(clap::Command::get_arguments);
        all.filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect()
    }

    #[test]
    fn options_that_help_names_exist() {
        let known = options();
        for (_, here) in TERMS {
            for word in here.split(' ').filter(|word| word.starts_with("--")) {
                let word = word.trim_end_matches(',');
                assert!(known.iter().any(|option| option == word), "{word}");
            }
        }
    }

    /// Whether a word is an argument of Python with its value, or a name of shapes.
    fn is_argument(word: &str) -> bool {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named = |(name, _): (&str, &str)| {
            ["hardware_compatible", "version_compatible", "refittable", "trusted", "threads", "backend", "verify"]
                .contains(&name)
        };
        word.split_once('=').is_some_and(named) || ["max_shapes", "min_shapes", "opt_shapes"].contains(&word)
    }

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_argument_of_python_in_a_help_has_a_form_here() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut texts = Vec::new();
        for name in ["runtime", "build", "passes", "torch2trt", "engine", "onnx", "nvinfer", "archive"] {
            sources(&crates.join(name).join("src"), &mut texts);
        }
        let mut seen = 0;
        for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with("//")) {
            let line = line.replace("\\n", " ");
            for word in line.split(' ').filter(|word| line.contains('"') && is_argument(word)) {
                let shown = for_command_line(&line.replace("\\\"", "\""));
                assert!(
                    !shown.split(' ').any(|w| w.contains(word.trim_matches(['(', ')', ',', '"', '\\']))),
                    "{shown}"
                );
                seen += 1;
            }
        }
        assert!(seen > 5, "only {seen} found: the test looks at the wrong places");
    }
}
