//! `IAlgorithmSelector`: a choice of which kernels a build may try (TensorRT 8.6 and 10; gone from 11 on).

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::object::{Object, guarded};
use crate::raw::build::{algorithm as raw, algorithm_context, algorithm_variant};
use crate::raw::{Host, Ref};
use crate::sys::tables::algorithm_selector as table;

/// A kernel for a layer, in TensorRT's numbers. They are the same in every build by the same version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Algorithm {
    /// The kind of kernel, such as "cuBLAS matrix product".
    pub implementation: i64,
    /// Which one of that kind: the number that TensorRT's verbose messages show behind `Tactic:`.
    pub tactic: i64,
}

/// Asked by a build which kernels to try, and notified which were taken.
pub trait AlgorithmSelector: Send {
    /// Whether a layer (or several that were fused) may be computed by `algorithm`. Where none of its kernels may, all
    /// of them are tried.
    fn accepts(&mut self, layer: &str, algorithm: Algorithm) -> bool;

    /// The build computes a layer by `algorithm`.
    fn chosen(&mut self, layer: &str, algorithm: Algorithm);
}

/// An `AlgorithmSelector` as TensorRT sees it.
pub(crate) struct Selector {
    object: Box<Object<State>>,
}

struct State {
    selector: Mutex<Box<dyn AlgorithmSelector>>,
    host: Arc<Host>,
}

impl Selector {
    pub(crate) fn new(host: Arc<Host>, selector: Box<dyn AlgorithmSelector>) -> Self {
        let methods =
            [(&table::SELECT_ALGORITHMS, select as *const ()), (&table::REPORT_ALGORITHMS, report as *const ())];
        let version = host.version();
        let state = State { selector: Mutex::new(selector), host };
        Self { object: Object::new(version, table::ALL, c"IAlgorithmSelector", &methods, state) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }
}

impl std::fmt::Debug for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Selector")
    }
}

impl State {
    /// A TensorRT object that lives until the callback returns.
    ///
    /// # Safety
    /// `object` is null or such an object.
    unsafe fn borrow(&self, object: *mut c_void) -> Option<Ref<'_>> {
        // SAFETY: the caller's promise.
        NonNull::new(object).map(|object| unsafe { Ref::new(object, &self.host) })
    }

    /// # Safety
    /// `context` is null or an `IAlgorithmContext` that lives until the callback returns.
    unsafe fn layer(&self, context: *mut c_void) -> Option<String> {
        // SAFETY: the caller's promise.
        unsafe { algorithm_context::name(self.borrow(context)?) }.ok()
    }

    /// # Safety
    /// `algorithm` is null or an `IAlgorithm` that lives until the callback returns.
    unsafe fn algorithm(&self, algorithm: *mut c_void) -> Option<Algorithm> {
        let read = |algorithm| -> Result<Algorithm> {
            // SAFETY: the caller's promise; an algorithm holds its variant.
            unsafe {
                let variant = Ref::new(raw::variant(algorithm)?, &self.host);
                let implementation = algorithm_variant::implementation(variant)?;
                Ok(Algorithm { implementation, tactic: algorithm_variant::tactic(variant)? })
            }
        };
        // SAFETY: the caller's promise.
        read(unsafe { self.borrow(algorithm)? }).ok()
    }
}

/// Writes the indices of the kernels to try, and answers how many they are.
extern "C" fn select(
    this: *mut c_void,
    context: *mut c_void,
    choices: *const *mut c_void,
    count: i32,
    to: *mut i32,
) -> i32 {
    let all = || {
        // SAFETY: TensorRT passes room for as many indices as there are choices.
        (0..count).for_each(|i| unsafe { *to.add(i.cast_unsigned() as usize) = i });
        count
    };
    let chosen = guarded("IAlgorithmSelector::selectAlgorithms", None, || {
        // SAFETY: TensorRT gives back the selector, which the configuration keeps, and objects that live meanwhile.
        let (state, layer) = unsafe {
            let state = Object::<State>::state(this);
            (state, state.layer(context)?)
        };
        let mut selector = state.selector.lock().unwrap_or_else(PoisonError::into_inner);
        let accepted = (0..count).filter(|i| {
            // SAFETY: TensorRT passes `count` algorithms that live meanwhile.
            let algorithm = unsafe { state.algorithm(*choices.add(i.cast_unsigned() as usize)) };
            algorithm.is_none_or(|algorithm| selector.accepts(&layer, algorithm))
        });
        Some(accepted.collect::<Vec<i32>>())
    });
    let Some(chosen) = chosen.filter(|chosen| !chosen.is_empty()) else { return all() };
    for (place, index) in chosen.iter().enumerate() {
        // SAFETY: TensorRT passes room for as many indices as there are choices.
        unsafe { *to.add(place) = *index };
    }
    i32::try_from(chosen.len()).unwrap_or(count)
}

extern "C" fn report(this: *mut c_void, contexts: *const *mut c_void, algorithms: *const *mut c_void, count: i32) {
    guarded("IAlgorithmSelector::reportAlgorithms", (), || {
        // SAFETY: TensorRT gives back the selector, which the configuration keeps.
        let state = unsafe { Object::<State>::state(this) };
        let mut selector = state.selector.lock().unwrap_or_else(PoisonError::into_inner);
        for i in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: TensorRT passes `count` of both, which live meanwhile.
            let (layer, algorithm) = unsafe { (state.layer(*contexts.add(i)), state.algorithm(*algorithms.add(i))) };
            if let (Some(layer), Some(algorithm)) = (layer, algorithm) {
                selector.chosen(&layer, algorithm);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tables::{algorithm, algorithm_context, algorithm_variant};
    use crate::testing::{Fake, host, versions};
    use crate::version::Version;

    type Select = extern "C" fn(*mut c_void, *mut c_void, *const *mut c_void, i32, *mut i32) -> i32;
    type Report = extern "C" fn(*mut c_void, *const *mut c_void, *const *mut c_void, i32);

    extern "C" fn name(_: *mut c_void) -> *const std::ffi::c_char {
        c"conv + relu".as_ptr()
    }

    /// The state of a fake algorithm is the address of its variant.
    extern "C" fn state(this: *mut c_void) -> i64 {
        Fake::state(this)
    }

    extern "C" fn kind(_: *mut c_void) -> i64 {
        -7
    }

    /// An algorithm with this tactic, and the variant that it holds.
    fn fake(version: Version, tactic: i64) -> (Fake, Fake) {
        let methods = [
            (&algorithm_variant::GET_IMPLEMENTATION, kind as *const ()),
            (&algorithm_variant::GET_TACTIC, state as *const ()),
        ];
        let variant = Fake::with_state(version, &methods, tactic);
        let address = variant.as_ptr().expose_provenance() as i64;
        let methods = [(&algorithm::GET_ALGORITHM_VARIANT, state as *const ())];
        (Fake::with_state(version, &methods, address), variant)
    }

    /// Accepts even tactics and panics at 99; sends what it received.
    struct Even(std::sync::mpsc::Sender<String>);

    impl AlgorithmSelector for Even {
        fn accepts(&mut self, layer: &str, algorithm: Algorithm) -> bool {
            assert_eq!((layer, algorithm.implementation), ("conv + relu", -7));
            assert_ne!(algorithm.tactic, 99);
            algorithm.tactic % 2 == 0
        }

        fn chosen(&mut self, layer: &str, algorithm: Algorithm) {
            self.0.send(format!("{layer}: {}", algorithm.tactic)).unwrap();
        }
    }

    #[test]
    fn kernels_are_accepted_and_reported_by_number() {
        for version in &versions()[..2] {
            let (sender, received) = std::sync::mpsc::channel();
            let selector = Selector::new(host(*version), Box::new(Even(sender)));
            assert!(selector.object.is_complete(), "{version}");
            let function = |method| selector.object.function(*version, method);
            // SAFETY: the slots hold functions of these types.
            let (select, report) = unsafe {
                (
                    std::mem::transmute::<*const (), Select>(function(&table::SELECT_ALGORITHMS)),
                    std::mem::transmute::<*const (), Report>(function(&table::REPORT_ALGORITHMS)),
                )
            };
            let context = Fake::new(*version, &[(&algorithm_context::GET_NAME, name as *const ())]);
            let chosen = |tactics: &[i64]| {
                let fakes: Vec<_> = tactics.iter().map(|tactic| fake(*version, *tactic)).collect();
                let choices: Vec<_> = fakes.iter().map(|(algorithm, _)| algorithm.as_ptr()).collect();
                let (count, mut to) = (i32::try_from(tactics.len()).unwrap(), vec![-1; tactics.len()]);
                let picked = select(selector.as_ptr(), context.as_ptr(), choices.as_ptr(), count, to.as_mut_ptr());
                to.truncate(usize::try_from(picked).unwrap());
                to
            };
            assert_eq!(chosen(&[4, 3, -8, 1]), [0, 2]);
            assert_eq!(chosen(&[5, 3]), [0, 1], "all of them where none is accepted");
            assert_eq!(chosen(&[2, 99]), [0, 1], "all of them after a panic");
            let (taken, _variant) = fake(*version, 6);
            report(selector.as_ptr(), [context.as_ptr()].as_ptr(), [taken.as_ptr()].as_ptr(), 1);
            assert_eq!(received.try_iter().collect::<Vec<_>>(), ["conv + relu: 6"]);
        }
    }
}
