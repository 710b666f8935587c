//! The declared options as a table, and as JSON under Python's names.

use super::{BuildOptions, ConvertOptions, Options, values};
use crate::{Code, Error, Result};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One option, as its declaration has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The argument of Python's `torch2trt()`, and the field here.
    pub name: String,
    /// The title of its group.
    pub group: String,
    /// The flag of `torch2trt build`, without the dashes.
    pub flag: String,
    /// What stands for the flag's value; `None` for a flag without one.
    pub value: Option<String>,
    /// The help text.
    pub help: String,
    /// The default under Python's names.
    pub default: Value,
}

/// Every option, group by group.
pub fn declared() -> Vec<Declared> {
    let command = Options::augment_args(clap::Command::new("torch2trt"));
    let defaults = Options::default().to_json();
    let option = |argument: &clap::Arg| {
        let name = argument.get_id().to_string();
        let takes_value = argument.get_action().takes_values();
        let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        Declared {
            group: argument.get_help_heading().unwrap_or_default().to_owned(),
            flag: argument.get_long().unwrap_or_default().to_owned(),
            value: value.filter(|_| takes_value),
            help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            default: defaults.get(&name).cloned().unwrap_or_default(),
            name,
        }
    };
    command.get_arguments().map(option).collect()
}

/// Options of the convert and build groups that an engine does not depend on, or that its file has elsewhere.
const NOT_RECORDED: [&str; 7] =
    ["backend", "input_names", "output_names", "max_batch_size", "build_threads", "timing_cache", "engine_cache"];

impl Options {
    /// The options in an object of values by Python's names. What is `null` is at its default.
    ///
    /// # Errors
    /// E0701 for a name that is none, or a value of another type.
    pub fn from_json(given: Map<String, Value>) -> Result<Self> {
        let given: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let known = Self::default().to_json();
        if let Some(name) = given.keys().find(|name| !known.contains_key(*name)) {
            return Err(Error::new(Code::BadOption, format!("there is no option `{name}`"))
                .with_help("docs/options.md lists every option"));
        }
        serde_json::from_value(Value::Object(given.clone())).map_err(|error| {
            // The error of the whole does not name the option.
            let alone = |(name, value): (&String, &Value)| {
                let one = json!({ name: value });
                serde_json::from_value::<Self>(one).err().map(|error| (name.clone(), error.to_string()))
            };
            let (name, problem) = given.iter().find_map(alone).unwrap_or(("?".into(), error.to_string()));
            let text =
                if problem.contains(&format!("`{name}`")) { problem } else { format!("option `{name}`: {problem}") };
            let error = Error::new(Code::BadOption, text);
            error.with_help(values::help(&name).unwrap_or("docs/options.md lists what each option takes".to_owned()))
        })
    }

    /// Every option under Python's name.
    pub fn to_json(&self) -> Map<String, Value> {
        members(self)
    }

    /// What an engine file records: the options that it depends on and that are not at their defaults. The precision is
    /// recorded as `half`, the name of its type, and as `int8` or `fp8`.
    pub fn recorded(&self) -> BTreeMap<String, Value> {
        let convert = self.convert.settled().unwrap_or_else(|_| self.convert.clone());
        let mut own = members(&convert);
        own.extend(members(&self.build));
        let mut default = members(&ConvertOptions::default());
        default.extend(members(&BuildOptions::default()));
        own.retain(|name, value| default.get(name) != Some(value) && !NOT_RECORDED.contains(&name.as_str()));
        if !convert.is_searched() {
            own.remove("precision");
        }
        own.remove("fp16_mode");
        own.remove("bf16_mode");
        if let Some(half) = convert.half() {
            own.insert("half".to_owned(), json!(half.dtype().name()));
        }
        own.remove("int8_mode");
        if let Some(quantization) = convert.quantization() {
            own.insert(quantization.name().to_owned(), json!(true));
        }
        own.into_iter().collect()
    }
}

/// The members of what becomes an object.
fn members(options: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(options) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: Value) -> Result<Options> {
        let Value::Object(members) = value else { unreachable!() };
        Options::from_json(members)
    }

    #[test]
    fn every_option_has_a_flag_and_help() {
        let all = declared();
        assert!(all.len() >= 30, "{}", all.len());
        for option in &all {
            assert!(!option.flag.is_empty() && !option.help.is_empty() && !option.group.is_empty(), "{option:?}");
        }
        let names: Vec<&str> = all.iter().map(|option| option.name.as_str()).collect();
        for name in Options::default().to_json().keys() {
            assert!(names.contains(&name.as_str()), "{name} has no flag");
        }
    }

    #[test]
    fn options_survive_json() {
        let wanted = given(json!({
            "fp16_mode": true, "tactic_sources": ["CUBLAS", "kCUDNN"], "timing_cache": false, "engine_cache": "/a",
            "use_cuda_graph": true, "plugins": ["a.so", [255, 47]], "threads": 3, "min_layers": 2, "verify": false,
            "int8_calib_algorithm": "MINMAX_CALIBRATION", "target": null, "backend": "cpu",
        }))
        .unwrap();
        assert_eq!(Options::from_json(wanted.to_json()).unwrap(), wanted);
        assert_eq!(Options::from_json(Options::default().to_json()).unwrap(), Options::default());
    }

    #[test]
    fn files_record_what_an_engine_depends_on() {
        assert!(Options::default().recorded().is_empty());
        let all =
            json!({"bf16_mode": true, "int8_mode": true, "target": "sm_89", "build_threads": 2, "backend": "cpu"});
        let wanted = json!({"half": "bfloat16", "int8": true, "target": "sm_89"});
        assert_eq!(json!(given(all).unwrap().recorded()), wanted);
        let float8 = json!({"fp16_mode": true, "precision": "fp8"});
        assert_eq!(json!(given(float8).unwrap().recorded()), json!({"half": "float16", "fp8": true}));
    }

    #[test]
    fn wrong_values_name_their_option() {
        for (value, words) in [
            (json!({"best": 1}), "no option `best`"),
            (json!({"threads": 0}), "option `threads`"),
            (json!({"engine_cache": 3}), "option `engine_cache`"),
            (json!({"verify": true, "tactic_sources": ["CUBLAST"]}), "no tactic source `CUBLAST`"),
            (json!({"tactic_sources": "CUBLAS"}), "`tactic_sources` is CUBLAS, no list of names"),
            (json!({"use_cuda_graph": "often"}), "option `use_cuda_graph`"),
            (json!({"backend": "gpu"}), "option `backend`"),
        ] {
            let error = given(value).unwrap_err();
            assert!(
                error.code() == Code::BadOption && error.help().is_some() && error.message().contains(words),
                "{error}"
            );
        }
    }
}
