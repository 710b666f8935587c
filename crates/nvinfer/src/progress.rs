//! `IProgressMonitor`: what the builder is doing, and the way to stop it (from 10; 8.6 has none).

use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::object::{Object, guarded, text};
use crate::sys::tables::progress_monitor as table;
use crate::version::Version;

/// Receives the progress of a build. Phases nest; TensorRT may call from several threads at once.
pub trait Progress: Send + Sync {
    /// A phase of `steps` steps begins, inside `parent` when there is one.
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: usize);

    /// Step number `step` of a phase is done. `Break` cancels the build, which then fails with
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    fn step_complete(&self, phase: &str, step: usize) -> ControlFlow<()>;

    /// A phase is over, whether or not all its steps were done.
    fn phase_finish(&self, phase: &str);
}

/// A `Progress` as TensorRT sees it.
pub(crate) struct Monitor {
    object: Box<Object<State>>,
}

struct State {
    progress: Arc<dyn Progress>,
    cancelled: AtomicBool,
}

impl Monitor {
    pub(crate) fn new(version: Version, progress: Arc<dyn Progress>) -> Self {
        let methods = [
            (&table::PHASE_START, phase_start as *const ()),
            (&table::STEP_COMPLETE, step_complete as *const ()),
            (&table::PHASE_FINISH, phase_finish as *const ()),
        ];
        let state = State { progress, cancelled: AtomicBool::new(false) };
        Self { object: Object::new(version, table::ALL, c"IProgressMonitor", &methods, state) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// Whether a step asked to stop since the last call of this.
    pub(crate) fn take_cancelled(&self) -> bool {
        self.object.state.cancelled.swap(false, Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Monitor")
    }
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

extern "C" fn phase_start(this: *mut c_void, phase: *const c_char, parent: *const c_char, steps: i32) {
    guarded("IProgressMonitor::phaseStart", (), || {
        // SAFETY: TensorRT gives back the monitor, which outlives the build, and NUL-terminated names or null.
        let (state, phase, parent_name) = unsafe { (Object::<State>::state(this), text(phase), text(parent)) };
        let parent = (!parent.is_null()).then_some(parent_name.as_str());
        state.progress.phase_start(&phase, parent, count(steps));
    });
}

/// Answers whether to go on. A panic cancels the build: going on would lose it silently.
extern "C" fn step_complete(this: *mut c_void, phase: *const c_char, step: i32) -> bool {
    guarded("IProgressMonitor::stepComplete", false, || {
        // SAFETY: as in `phase_start`.
        let (state, phase) = unsafe { (Object::<State>::state(this), text(phase)) };
        if state.progress.step_complete(&phase, count(step)).is_continue() {
            return true;
        }
        state.cancelled.store(true, Ordering::Relaxed);
        false
    })
}

extern "C" fn phase_finish(this: *mut c_void, phase: *const c_char) {
    guarded("IProgressMonitor::phaseFinish", (), || {
        // SAFETY: as in `phase_start`.
        let (state, phase) = unsafe { (Object::<State>::state(this), text(phase)) };
        state.progress.phase_finish(&phase);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Diary(Mutex<Vec<String>>);

    impl Progress for Diary {
        fn phase_start(&self, phase: &str, parent: Option<&str>, steps: usize) {
            self.0.lock().unwrap().push(format!("{phase} in {parent:?}: {steps}"));
        }

        fn step_complete(&self, phase: &str, step: usize) -> ControlFlow<()> {
            assert!(step < 7, "a step that panics");
            self.0.lock().unwrap().push(format!("{phase} {step}"));
            if step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn phase_finish(&self, phase: &str) {
            self.0.lock().unwrap().push(format!("{phase} done"));
        }
    }

    type Start = extern "C" fn(*mut c_void, *const c_char, *const c_char, i32);
    type Step = extern "C" fn(*mut c_void, *const c_char, i32) -> bool;
    type Finish = extern "C" fn(*mut c_void, *const c_char);

    #[test]
    fn phases_and_steps_arrive_and_break_cancels() {
        for version in crate::testing::versions().into_iter().skip(1) {
            let diary = Arc::new(Diary::default());
            let monitor = Monitor::new(version, diary.clone());
            assert!(monitor.object.is_complete(), "{version}");
            // SAFETY: the slots hold functions of these types.
            let (start, step, finish) = unsafe {
                (
                    std::mem::transmute::<*const (), Start>(monitor.object.function(version, &table::PHASE_START)),
                    std::mem::transmute::<*const (), Step>(monitor.object.function(version, &table::STEP_COMPLETE)),
                    std::mem::transmute::<*const (), Finish>(monitor.object.function(version, &table::PHASE_FINISH)),
                )
            };
            let this = monitor.as_ptr();
            start(this, c"build".as_ptr(), std::ptr::null(), 4);
            start(this, c"tactics".as_ptr(), c"build".as_ptr(), 2);
            assert!(step(this, c"tactics".as_ptr(), 0));
            assert!(!monitor.take_cancelled());
            assert!(!step(this, c"tactics".as_ptr(), 3));
            finish(this, c"tactics".as_ptr());
            assert!(monitor.take_cancelled());
            assert!(!monitor.take_cancelled(), "reading it clears it");
            assert!(!step(this, c"tactics".as_ptr(), 9), "a panic cancels, and does not unwind");
            let expected =
                ["build in None: 4", "tactics in Some(\"build\"): 2", "tactics 0", "tactics 3", "tactics done"];
            assert_eq!(*diary.0.lock().unwrap(), expected);
        }
    }
}
