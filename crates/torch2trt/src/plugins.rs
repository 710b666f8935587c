//! Plugins of a network or a plan: their libraries are loaded, and what is missing is an error that names it.
//!
//! Libraries come from the options ([`Options::plugins`]); where a plugin is in none of them, TensorRT's own library is
//! tried. An engine file has the names of its plugins, and no paths: those differ from machine to machine.

use crate::{Code, Error, Options, Result, discovery};
use engine::PluginName;
use network::{Network, Op};
use nvinfer::{Library, PluginApi, PluginCreator, PluginRegistry};
use std::collections::BTreeSet;
use std::path::Path;

/// The plugins of a network, each once.
pub(crate) fn needed(network: &Network) -> Vec<PluginName> {
    let plugin = |layer: &network::Layer| match &layer.op {
        Op::Plugin(p) => {
            Some(PluginName { name: p.name.clone(), version: p.version.clone(), namespace: p.namespace.clone() })
        }
        _ => None,
    };
    let found: BTreeSet<PluginName> = network.layers().iter().filter_map(plugin).collect();
    found.into_iter().collect()
}

/// Loads the libraries of the options and, where that leaves plugins without a creator, TensorRT's own; returns the
/// plugins that have none then.
///
/// # Errors
/// E0306 for a library that cannot be loaded.
pub(crate) fn provide<'a>(
    library: Library,
    needed: &'a [PluginName],
    options: &Options,
) -> Result<Vec<&'a PluginName>> {
    for path in &options.run.plugins {
        load(library, path)?;
    }
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let registry = library.plugin_registry()?;
    if !absent(&registry, needed).is_empty()
        && let Err(error) = library.load_own_plugins()
    {
        tracing::debug!(%error, "TensorRT's own plugins are not available");
    }
    Ok(absent(&registry, needed))
}

fn absent<'a>(registry: &PluginRegistry, needed: &'a [PluginName]) -> Vec<&'a PluginName> {
    // TensorRT itself calls a creator of any interface for a plan.
    let is_absent = |plugin: &&PluginName| {
        let found = registry.creator(&plugin.name, &plugin.version, &plugin.namespace);
        found.is_err_and(|error| !matches!(error, nvinfer::Error::PluginCreatorKind { .. }))
    };
    needed.iter().filter(is_absent).collect()
}

/// Rejects a plan whose plugins are in no library that was loaded: TensorRT's own error does not name them.
///
/// # Errors
/// E0604 with the plugins, E0306 for a library that cannot be loaded.
pub(crate) fn require(library: Library, needed: &[PluginName], options: &Options) -> Result<()> {
    let missing = provide(library, needed, options)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let message = format!("the plan has plugins that no loaded library has: {}", names.join(", "));
    Err(Error::new(Code::NotRunnable, message)
        .with_help("name the library that has them: plugins=[\"/path/to/libmyplugin.so\"]"))
}

fn load(library: Library, path: &Path) -> Result<()> {
    let help = "give the path of a plugin library for this TensorRT; ldd shows what it needs";
    library.load_plugins(path).map_err(|error| Error::from(error).with_help(help))
}

/// A registered plugin creator: name, version, namespace, and whether its interface is version 3.
pub type Creator = (String, String, String, bool);

/// The plugin creators that are registered with the options' TensorRT and plugin libraries; with TensorRT's own plugins
/// where `own` asks for them.
///
/// # Errors
/// E0301 without TensorRT, E0306 for a library that cannot be loaded.
pub fn plugin_creators(options: &Options, own: bool) -> Result<Vec<Creator>> {
    let library = discovery::tensorrt(options, nvinfer::Purpose::Build)?;
    provide(library, &[], options)?;
    if own {
        library.load_own_plugins()?;
    }
    let described = |creator: &PluginCreator| {
        (creator.name(), creator.version(), creator.namespace(), creator.api() == PluginApi::V3)
    };
    Ok(library.plugin_registry()?.creators()?.iter().map(described).collect())
}

/// A field that a creator knows: its name, and its type where this crate knows it.
pub type Field = (String, Option<&'static str>);

/// The fields that a registered creator knows.
///
/// # Errors
/// As for [`plugin_creators`], and E0306 where no such creator is registered.
pub fn plugin_fields(options: &Options, [name, version, namespace]: [&str; 3]) -> Result<Vec<Field>> {
    let library = discovery::tensorrt(options, nvinfer::Purpose::Build)?;
    provide(library, &[], options)?;
    let fields = library.plugin_registry()?.creator(name, version, namespace)?.fields();
    Ok(fields.into_iter().map(|field| (field.name, field.kind.map(nvinfer::PluginFieldType::name))).collect())
}

/// What a cached plan depends on besides the network: the plugin libraries, as far as they are files.
#[expect(clippy::unnecessary_debug_formatting, reason = "paths that are not Unicode stay distinct")]
pub(crate) fn state(options: &Options) -> String {
    let file = |path: &std::path::PathBuf| {
        let about = std::fs::metadata(path).ok();
        format!("{path:?} {:?}", about.map(|about| (about.len(), about.modified().ok())))
    };
    options.run.plugins.iter().map(file).collect::<Vec<_>>().join(" ")
}
