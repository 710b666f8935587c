//! Modules and layers that a user names: paths such as `layer4.0`, where `*` stands for any characters, dots included,
//! and `?` for one. A module is named with all that is in it; a layer by its own name, such as `layer4.0.SoftMax`.

use network::Layer;
use wildmatch::WildMatch;

/// Patterns, and which of them have matched.
#[derive(Debug)]
pub(crate) struct Named<'p> {
    patterns: &'p [String],
    compiled: Vec<WildMatch>,
    matched: Vec<bool>,
}

impl<'p> Named<'p> {
    pub(crate) fn new(patterns: &'p [String]) -> Self {
        let compiled = patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Self { patterns, compiled, matched: vec![false; patterns.len()] }
    }

    /// The first pattern that names a layer, its module, or a module around it.
    pub(crate) fn find(&mut self, layer: &Layer) -> Option<&'p str> {
        let module = layer.origin.module.as_str();
        let around = module.match_indices('.').map(|(end, _)| &module[..end]);
        let paths: Vec<&str> = around.chain([module, layer.name.as_str()]).collect();
        let found = self.compiled.iter().map(|pattern| paths.iter().any(|path| pattern.matches(path)));
        let found: Vec<bool> = found.collect();
        self.matched.iter_mut().zip(&found).for_each(|(matched, found)| *matched |= found);
        found.iter().position(|found| *found).map(|k| self.patterns[k].as_str())
    }

    /// The patterns that named nothing.
    pub(crate) fn unmatched(&self) -> Vec<String> {
        let unmatched = self.patterns.iter().zip(&self.matched).filter(|(_, matched)| !**matched);
        unmatched.map(|(pattern, _)| pattern.clone()).collect()
    }
}
