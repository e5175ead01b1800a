//! A name for a form that changes something: sent along unseen, so that sending the same form twice
//! does the thing once.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::actor::Actor;
use domain::moment::Moment;

use crate::form::Typed;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The field that carries it.
pub const FIELD: &str = "once";
/// The most characters of one that comes back.
const LENGTH_MAX: usize = 100;

/// A new name: whose form it is, when it was drawn, and which one of that moment.
pub fn fresh(actor: &Actor, now: Moment) -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("console.{}.{}.{:x}.{count}", actor.id.unwrap_or(0), now.0, std::process::id())
}

/// The name a form brought along, or a new one for a form that brought none.
pub fn of(typed: &Typed, actor: &Actor, now: Moment) -> String {
    match typed.text(FIELD) {
        given if !given.is_empty() && given.len() <= LENGTH_MAX && is_plain(given) => given.to_owned(),
        _ => fresh(actor, now),
    }
}

/// Whether it can stand in a path as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_its_name_and_every_new_one_has_another() {
        let (actor, now) = (Actor::command_line(), Moment(5));
        let name = fresh(&actor, now);
        assert_ne!(name, fresh(&actor, now));
        assert_eq!(of(&Typed::of([(FIELD, &name)]), &actor, now), name);
        assert_ne!(of(&Typed::default(), &actor, now), name);
        assert_ne!(of(&Typed::of([(FIELD, "../keys")]), &actor, now), "../keys");
        assert!(name.len() <= LENGTH_MAX);
    }
}
