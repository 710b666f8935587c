//! Between TensorRT's progress monitor and the caller's [`Progress`].
//!
//! TensorRT calls its monitor from any of its threads and keeps it as long as the configuration, so it gets an object
//! of its own. Another thread hands the events on, and asks for a wish to cancel even while no step ends.
//! The build itself stays on the caller's thread: the CUDA device in use belongs to that thread.

use crate::Progress;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often to ask for a wish to cancel while nothing happens.
const POLL: Duration = Duration::from_millis(50);

enum Event {
    Begin(String, u64),
    Step(String, u64),
    End(String),
    Done,
}

/// What TensorRT is given as its monitor.
pub(crate) struct Relay {
    events: Sender<Event>,
    cancelled: AtomicBool,
}

impl Relay {
    /// Whether the caller asked to stop.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn send(&self, event: Event) {
        // The receiver is gone only when the work is done, and then nobody listens.
        let _ = self.events.send(event);
    }
}

impl nvinfer::Progress for Relay {
    fn phase_start(&self, phase: &str, _parent: Option<&str>, steps: usize) {
        self.send(Event::Begin(phase.to_owned(), steps as u64));
    }

    fn step_complete(&self, phase: &str, step: usize) -> ControlFlow<()> {
        self.send(Event::Step(phase.to_owned(), step as u64 + 1));
        if self.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn phase_finish(&self, phase: &str) {
        self.send(Event::End(phase.to_owned()));
    }
}

/// Ends the forwarding however the work ends.
struct Finish(Arc<Relay>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.send(Event::Done);
    }
}

/// Does some work on this thread, with `progress` reported on another one by the relay.
///
/// Stages about refitting are left out where nothing will be refitted: TensorRT reports them for every build.
pub(crate) fn watched<T>(progress: &dyn Progress, refittable: bool, work: impl FnOnce(&Arc<Relay>) -> T) -> T {
    let (events, received) = channel();
    let relay = Arc::new(Relay { events, cancelled: AtomicBool::new(progress.cancelled()) });
    std::thread::scope(|scope| {
        let finish = Finish(relay.clone());
        scope.spawn(move || forward(&relay, &received, progress, refittable));
        work(&finish.0)
    })
}

fn forward(relay: &Relay, events: &Receiver<Event>, progress: &dyn Progress, refittable: bool) {
    // TensorRT completes more steps of some stages than it announces.
    let mut announced: HashMap<String, u64> = HashMap::new();
    loop {
        match events.recv_timeout(POLL) {
            Ok(Event::Begin(stage, _)) if !refittable && stage.contains("refit") => {}
            Ok(Event::Begin(stage, steps)) => {
                progress.begin(&stage, Some(steps));
                announced.insert(stage, steps);
            }
            Ok(Event::Step(stage, done)) => {
                if let Some(steps) = announced.get(&stage) {
                    progress.step(&stage, done.min(*steps));
                }
            }
            Ok(Event::End(stage)) => {
                if announced.remove(&stage).is_some() {
                    progress.end(&stage);
                }
            }
            Ok(Event::Done) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if progress.cancelled() {
            relay.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvinfer::Progress as _;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Diary {
        lines: Mutex<Vec<String>>,
        stop: AtomicBool,
    }

    impl Progress for Diary {
        fn begin(&self, stage: &str, steps: Option<u64>) {
            self.lines.lock().unwrap().push(format!("{stage} of {steps:?}"));
        }
        fn step(&self, stage: &str, done: u64) {
            self.lines.lock().unwrap().push(format!("{stage} {done}"));
        }
        fn end(&self, stage: &str) {
            self.lines.lock().unwrap().push(format!("{stage} over"));
        }
        fn cancelled(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn every_event_arrives_in_order_before_the_work_is_over() {
        let diary = Diary::default();
        let answer = watched(&diary, true, |relay| {
            relay.phase_start("build", None, 2);
            for step in 0..2 {
                assert!(relay.step_complete("build", step).is_continue());
            }
            relay.phase_finish("build");
            42
        });
        assert_eq!(answer, 42);
        assert_eq!(*diary.lines.lock().unwrap(), ["build of Some(2)", "build 1", "build 2", "build over"]);
    }

    #[test]
    fn no_stage_has_more_steps_than_announced_and_refitting_is_not_reported_without_reason() {
        let lines = |refittable| {
            let diary = Diary::default();
            watched(&diary, refittable, |relay| {
                for stage in ["build", "Determining refit engines"] {
                    relay.phase_start(stage, None, 1);
                    for step in 0..3 {
                        assert!(relay.step_complete(stage, step).is_continue());
                    }
                    relay.phase_finish(stage);
                }
            });
            diary.lines.into_inner().unwrap()
        };
        let of = |stage: &str| [" of Some(1)", " 1", " 1", " 1", " over"].map(|what| format!("{stage}{what}")).to_vec();
        assert_eq!(lines(false), of("build"));
        assert_eq!(lines(true), [of("build"), of("Determining refit engines")].concat());
    }

    #[test]
    fn a_cancellation_takes_effect_between_steps() {
        let diary = Diary::default();
        watched(&diary, true, |relay| {
            assert!(relay.step_complete("build", 0).is_continue());
            diary.stop.store(true, Ordering::Relaxed);
            let waited = std::time::Instant::now();
            while relay.step_complete("build", 1).is_continue() {
                assert!(waited.elapsed() < Duration::from_secs(10), "not cancelled in time");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    }
}
