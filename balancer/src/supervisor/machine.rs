//! One launched instance: its states and what may follow from which. Pure; time and chance come in.
//!
//! `warming`, `ejected` and `failed` have no place of their own yet: an instance gets its full share at once, being out
//! of reach is noted in the pool's snapshot, and no program is given up.

use std::time::{Duration, Instant};

use super::backoff;
use crate::config::Backoff;

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has no process, and gets none.
    Stopped,
    /// Its process was started and is not ready yet.
    Starting,
    /// It gets requests.
    Serving,
    /// It gets no new requests and finishes those it has.
    Draining,
    /// It was sent the stop signal.
    Stopping,
    /// It has died and waits for its next start.
    Backoff,
}

/// What happens to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It shall run.
    Start,
    /// It answered its readiness probe.
    Ready,
    /// Its process has ended, or could not be started.
    Exited,
    /// Its last request was answered.
    Drained,
    /// The state's deadline has passed.
    Deadline,
    /// It shall end.
    Stop,
}

/// What has to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start its process.
    Launch,
    /// Give it requests.
    Join,
    /// Give it no new requests.
    Drain,
    /// Forget it as a backend.
    Leave,
    /// Send it the stop signal.
    Terminate,
    /// Kill it.
    Kill,
}

/// An event that has no place in a state: a bug of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen while {state:?}")]
pub struct IllegalTransition {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

/// Every transition there is. `Stopping` ends in `Backoff` if the instance was stopped only to be started again.
pub const TRANSITIONS: &[(State, Event, &[State])] = &[
    (State::Stopped, Event::Start, &[State::Starting]),
    (State::Starting, Event::Ready, &[State::Serving]),
    (State::Starting, Event::Exited, &[State::Backoff]),
    (State::Starting, Event::Deadline, &[State::Stopping]),
    (State::Starting, Event::Stop, &[State::Stopping]),
    (State::Serving, Event::Exited, &[State::Backoff]),
    (State::Serving, Event::Stop, &[State::Draining]),
    (State::Draining, Event::Drained, &[State::Stopping]),
    (State::Draining, Event::Deadline, &[State::Stopping]),
    (State::Draining, Event::Exited, &[State::Stopped]),
    (State::Stopping, Event::Exited, &[State::Stopped, State::Backoff]),
    (State::Stopping, Event::Deadline, &[State::Stopping]),
    (State::Stopping, Event::Stop, &[State::Stopping]),
    (State::Backoff, Event::Deadline, &[State::Starting]),
    (State::Backoff, Event::Stop, &[State::Stopped]),
];

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// From the start of the process until it is ready.
    pub start: Duration,
    /// For its last requests.
    pub drain: Duration,
    /// From the stop signal to its end.
    pub stop: Duration,
    /// Between a death and the next start.
    pub backoff: Backoff,
}

/// One instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine {
    /// What it is doing.
    pub state: State,
    /// When [`Event::Deadline`] is due.
    pub deadline: Option<Instant>,
    /// Deaths in a row.
    pub failures: u32,
    since: Instant,
    again: bool,
}

impl Machine {
    /// An instance without a process.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { state: State::Stopped, deadline: None, failures: 0, since: now, again: false }
    }

    /// What follows from an event. `chance` (0 to 1) spreads restarts.
    ///
    /// # Errors
    ///
    /// The event has no place in this state.
    pub fn step(
        self,
        event: Event,
        now: Instant,
        chance: f64,
        policy: &Policy,
    ) -> Result<(Self, &'static [Action]), IllegalTransition> {
        use Action::{Drain, Join, Kill, Launch, Leave, Terminate};
        let next =
            |state, wait: Option<Duration>| Self { state, deadline: wait.map(|wait| now + wait), since: now, ..self };
        let (machine, actions): (Self, &[Action]) = match (self.state, event) {
            (State::Stopped, Event::Start) | (State::Backoff, Event::Deadline) => {
                (Self { again: false, ..next(State::Starting, Some(policy.start)) }, &[Launch])
            }
            (State::Starting, Event::Ready) => (next(State::Serving, None), &[Join]),
            (State::Starting, Event::Exited) => (self.died(now, chance, policy), &[]),
            (State::Starting, Event::Deadline) => {
                (Self { again: true, ..next(State::Stopping, Some(policy.stop)) }, &[Terminate])
            }
            (State::Starting, Event::Stop) => (next(State::Stopping, Some(policy.stop)), &[Terminate]),
            (State::Serving, Event::Exited) => (self.died(now, chance, policy), &[Leave]),
            (State::Serving, Event::Stop) => (next(State::Draining, Some(policy.drain)), &[Drain]),
            (State::Draining, Event::Drained | Event::Deadline) => {
                (next(State::Stopping, Some(policy.stop)), &[Leave, Terminate])
            }
            (State::Draining, Event::Exited) => (next(State::Stopped, None), &[Leave]),
            (State::Stopping, Event::Exited) if self.again => (self.died(now, chance, policy), &[]),
            (State::Stopping, Event::Exited) => (next(State::Stopped, None), &[]),
            // What was killed ends; the deadline comes again in case the kernel needs long to let go of it.
            (State::Stopping, Event::Deadline) => (Self { deadline: Some(now + policy.stop), ..self }, &[Kill]),
            (State::Stopping, Event::Stop) => (Self { again: false, ..self }, &[]),
            (State::Backoff, Event::Stop) => (next(State::Stopped, None), &[]),
            (state, event) => return Err(IllegalTransition { state, event }),
        };
        Ok((machine, actions))
    }

    fn died(self, now: Instant, chance: f64, policy: &Policy) -> Self {
        let proved = self.state == State::Serving && now.duration_since(self.since) >= policy.backoff.forgiven_after;
        let failures = if proved { 1 } else { self.failures.saturating_add(1) };
        let wait = backoff::delay(&policy.backoff, failures, chance);
        Self { state: State::Backoff, deadline: Some(now + wait), failures, since: now, again: false }
    }
}

/// The transitions as a Mermaid diagram, for the architecture page.
#[must_use]
pub fn diagram() -> String {
    let mut out = String::from("stateDiagram-v2\n    [*] --> Stopped\n");
    for (from, event, targets) in TRANSITIONS {
        for to in *targets {
            out.push_str(&format!("    {from:?} --> {to:?}: {event:?}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const STATES: [State; 6] =
        [State::Stopped, State::Starting, State::Serving, State::Draining, State::Stopping, State::Backoff];
    const EVENTS: [Event; 6] =
        [Event::Start, Event::Ready, Event::Exited, Event::Drained, Event::Deadline, Event::Stop];

    fn policy() -> Policy {
        let second = Duration::from_secs(1);
        Policy { start: second * 60, drain: second * 30, stop: second * 10, backoff: Backoff::default() }
    }

    fn step(machine: Machine, event: Event, now: Instant) -> Option<(Machine, &'static [Action])> {
        machine.step(event, now, 0.5, &policy()).ok()
    }

    /// All machines that can come about, times aside.
    fn reachable() -> Vec<Machine> {
        let now = Instant::now();
        let plain = |machine: Machine| Machine { deadline: None, failures: 0, since: now, ..machine };
        let (mut found, mut open) = (HashSet::new(), vec![Machine::new(now)]);
        while let Some(machine) = open.pop() {
            if found.insert(plain(machine)) {
                open.extend(EVENTS.iter().filter_map(|&event| step(machine, event, now)).map(|(next, _)| next));
            }
        }
        found.into_iter().collect()
    }

    #[test]
    fn the_table_and_the_steps_say_the_same() {
        let now = Instant::now();
        let mut seen = HashSet::new();
        for machine in reachable() {
            for event in EVENTS {
                let row = TRANSITIONS.iter().find(|(state, on, _)| (*state, *on) == (machine.state, event));
                match (row, step(machine, event, now)) {
                    (Some((_, _, targets)), Some((next, _))) => {
                        assert!(targets.contains(&next.state), "{machine:?} {event:?} {next:?}");
                        seen.insert((machine.state, event, next.state));
                    }
                    (None, None) => {}
                    (row, next) => panic!("{machine:?} {event:?}: table {row:?}, step {next:?}"),
                }
            }
        }
        let rows: usize = TRANSITIONS.iter().map(|(_, _, targets)| targets.len()).sum();
        assert_eq!(seen.len(), rows, "every row of the table comes about");
    }

    #[test]
    fn every_state_has_a_way_to_stopped_once_asked() {
        let now = Instant::now();
        for machine in reachable().into_iter().filter(|machine| machine.state != State::Stopped) {
            let (mut machine, _) = step(machine, Event::Stop, now).unwrap_or((machine, &[]));
            for _ in 0..4 {
                for event in [Event::Drained, Event::Deadline, Event::Exited] {
                    let stopped = machine.state == State::Stopped;
                    machine =
                        if stopped { machine } else { step(machine, event, now).map_or(machine, |(next, _)| next) };
                }
            }
            assert_eq!(machine.state, State::Stopped);
        }
    }

    #[test]
    fn a_state_that_waits_for_time_has_a_deadline() {
        let now = Instant::now();
        let (starting, _) = step(Machine::new(now), Event::Start, now).unwrap();
        let (serving, _) = step(starting, Event::Ready, now).unwrap();
        let (draining, _) = step(serving, Event::Stop, now).unwrap();
        let (stopping, _) = step(draining, Event::Drained, now).unwrap();
        let (backoff, _) = step(serving, Event::Exited, now).unwrap();
        for machine in [starting, draining, stopping, backoff] {
            assert!(machine.deadline.is_some(), "{machine:?}");
        }
        assert!(serving.deadline.is_none());
    }

    #[test]
    fn a_crash_loop_waits_longer_each_time_and_is_forgiven_after_a_while() {
        let policy = policy();
        let mut now = Instant::now();
        let mut machine = step(Machine::new(now), Event::Start, now).unwrap().0;
        let mut waits = Vec::new();
        for _ in 0..20 {
            machine = step(machine, Event::Exited, now).unwrap().0;
            waits.push(machine.deadline.unwrap() - now);
            now = machine.deadline.unwrap();
            machine = step(machine, Event::Deadline, now).unwrap().0;
        }
        assert!(waits.is_sorted() && waits[19] > waits[0] * 20, "{waits:?}");
        machine = step(machine, Event::Ready, now).unwrap().0;
        now += policy.backoff.forgiven_after;
        machine = step(machine, Event::Exited, now).unwrap().0;
        assert_eq!(machine.deadline.unwrap() - now, waits[0]);
    }

    #[test]
    fn the_diagram_shows_every_state() {
        let diagram = diagram();
        for state in STATES {
            assert!(diagram.contains(&format!("{state:?}")), "{diagram}");
        }
    }

    #[test]
    fn the_architecture_page_shows_the_transitions_as_they_are() {
        let page = include_str!("../../../docs/architecture.md");
        assert!(page.contains(&diagram()), "docs/architecture.md should have\n{}", diagram());
    }

    proptest! {
        #[test]
        fn requests_go_only_to_an_instance_that_has_joined(events in prop::collection::vec(0usize..EVENTS.len(), 0..60)) {
            let now = Instant::now();
            let (mut machine, mut joined, mut running) = (Machine::new(now), false, false);
            for event in events {
                let Some((next, actions)) = step(machine, EVENTS[event], now) else { continue };
                running &= EVENTS[event] != Event::Exited;
                for action in actions {
                    match action {
                        Action::Launch => { prop_assert!(!running); running = true; }
                        Action::Join => { prop_assert!(!joined && running); joined = true; }
                        Action::Leave => { prop_assert!(joined); joined = false; }
                        Action::Drain => prop_assert!(joined),
                        Action::Terminate => prop_assert!(running && !joined),
                        Action::Kill => prop_assert!(running),
                    }
                }
                machine = next;
                prop_assert_eq!(joined, matches!(machine.state, State::Serving | State::Draining));
            }
        }
    }
}
