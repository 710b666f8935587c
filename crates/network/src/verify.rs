//! The rules every pass must keep. [`Network::add`] upholds them; this finds out who broke one.

use crate::{Error, Network, Tensor, TensorInfo, infer};
use std::collections::HashSet;

impl Network {
    /// Checks that the network is well-formed: tensors are made before they are used, names are unique, symbols are
    /// declared, and what inference finds for every layer is what the network has.
    ///
    /// # Errors
    /// The first rule that does not hold: [`Error::Malformed`], [`Error::Layer`] or [`Error::Inconsistent`].
    pub fn verify(&self) -> Result<(), Error> {
        let mut made = vec![false; self.tensor_count()];
        for port in self.inputs() {
            made[port.tensor.0 as usize] = true;
            self.verify_symbols(self.tensor(port.tensor))?;
        }
        let mut names = HashSet::new();
        for layer in self.layers() {
            if !names.insert(layer.name.as_str()) {
                return Err(Error::Malformed(format!("two layers are named `{}`", layer.name)));
            }
            if let Some(id) = layer.used().find(|id| !made.get(id.0 as usize).copied().unwrap_or(false)) {
                return Err(Error::Malformed(format!("layer `{}` uses tensor {} before it is made", layer.name, id.0)));
            }
            self.verify_types(layer)?;
            for id in &layer.outputs {
                made[id.0 as usize] = true;
            }
        }
        match self.outputs().iter().find(|o| !made[o.tensor.0 as usize]) {
            Some(port) => Err(Error::Malformed(format!("output `{}` is never made", port.name))),
            None => Ok(()),
        }
    }

    fn verify_symbols(&self, tensor: &Tensor) -> Result<(), Error> {
        let mut used = tensor.dims.iter().flat_map(dims::Dim::symbols);
        match used.find(|s| !self.symbols().contains_key(s.as_ref())) {
            Some(symbol) => Err(Error::Malformed(format!("symbol `{symbol}` is used but not declared"))),
            None => Ok(()),
        }
    }

    fn verify_types(&self, layer: &crate::Layer) -> Result<(), Error> {
        let infos: Vec<Option<TensorInfo<'_>>> = layer.inputs.iter().map(|id| id.map(|id| self.info(id))).collect();
        let inferred = infer(&layer.op, &infos).map_err(|e| Error::Layer {
            layer: layer.op.name(),
            name: layer.name.clone(),
            origin: layer.origin.clone(),
            problem: e.0,
        })?;
        for (output, (id, found)) in layer.outputs.iter().zip(&inferred).enumerate() {
            let declared = self.tensor(*id);
            if declared.dtype != found.dtype || declared.dims != found.dims {
                let inferred = Tensor { dtype: found.dtype, dims: found.dims.clone(), value: None, producer: None };
                return Err(Error::Inconsistent {
                    layer: layer.op.name(),
                    name: layer.name.clone(),
                    origin: layer.origin.clone(),
                    output,
                    declared: declared.type_text(),
                    inferred: inferred.type_text(),
                });
            }
        }
        Ok(())
    }
}
