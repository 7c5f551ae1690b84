use std::collections::BTreeMap;

use aaa_types::WebhookId;
use jiff::SignedDuration;

use super::{Action, Engine, Figures, Input, Moment};

/// The engines of all webhooks of an app, which share its rate limit.
///
/// Each webhook has its own live job: they do not wait for each other.
#[derive(Debug, Default)]
pub struct Fleet {
    engines: BTreeMap<WebhookId, Engine>,
}

impl Fleet {
    /// Adds an engine; another one for the same webhook goes.
    pub fn add(&mut self, engine: Engine) {
        self.engines.insert(engine.webhook().id, engine);
    }

    /// Removes the engine of a webhook.
    pub fn remove(&mut self, webhook: WebhookId) -> Option<Engine> {
        self.engines.remove(&webhook)
    }

    /// Returns the engine of a webhook.
    pub fn engine(&mut self, webhook: WebhookId) -> Option<&mut Engine> {
        self.engines.get_mut(&webhook)
    }

    /// Returns the engines by the ids of their webhooks.
    pub fn engines(&mut self) -> impl Iterator<Item = &mut Engine> {
        self.engines.values_mut()
    }

    /// Says whether there is no engine.
    pub fn is_empty(&self) -> bool {
        self.engines.is_empty()
    }

    /// Returns what is to be done now, and for which webhook, or `None` when there is nothing to
    /// do but wait.
    pub fn next_action(&mut self, now: Moment) -> Option<(WebhookId, Action)> {
        self.engines.iter_mut().find_map(|(id, engine)| Some((*id, engine.next_action(now)?)))
    }

    /// Returns after how long to ask again although nothing happened; `None` when nothing is
    /// pending.
    pub fn next_wakeup(&mut self, now: Moment) -> Option<SignedDuration> {
        self.engines.values_mut().filter_map(|engine| engine.next_wakeup(now)).min()
    }

    /// Takes note of what happened to a webhook. What X said of its rate limit concerns all.
    pub fn on(&mut self, webhook: WebhookId, input: Input, now: Moment) {
        let called = matches!(input, Input::Accepted(_) | Input::Refused(_));
        let shared = matches!(input, Input::Quota(_));
        for (id, engine) in &mut self.engines {
            if *id == webhook || shared {
                engine.on(input.clone(), now);
            } else if called {
                engine.on(Input::Called, now);
            }
        }
    }

    /// Takes note of what concerns all webhooks: gaps, health, the end of a job.
    pub fn on_all(&mut self, input: &Input, now: Moment) {
        for engine in self.engines.values_mut() {
            engine.on(input.clone(), now);
        }
    }

    /// Removes the engines whose webhooks are gone, and returns these.
    pub fn drain_gone(&mut self) -> Vec<WebhookId> {
        let gone = self.engines.iter().filter(|(_, engine)| engine.is_gone());
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        self.engines.retain(|id, _| !gone.contains(id));
        gone
    }

    /// Returns the figures of all engines together.
    pub fn figures(&mut self, now: Moment) -> Figures {
        let figures = self.engines.values_mut().map(|engine| engine.figures(now));
        figures.fold(Figures::default(), Figures::plus)
    }
}
