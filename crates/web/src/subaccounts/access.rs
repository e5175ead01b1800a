//! How one account below takes visits from above, and the way in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::AccountState;
use domain::member::Access as Policy;
use domain::permission::{Action, Verdict};
use gateway::visits::{self, Way};

use super::below::{Below, Head};
use crate::Console;
use crate::error::Stop;
use crate::page::{self, Shell};

#[derive(Template)]
#[template(path = "a/subaccounts/access.html")]
struct Access {
    shell: Shell,
    head: Head,
    now: &'static str,
    why: String,
    policies: Vec<(&'static str, &'static str, bool)>,
    step_in: Option<(&'static str, String)>,
    cannot: &'static str,
}

/// `GET /a/{id}/subaccounts/{child}/access`.
pub async fn show(State(console): State<Console>, below: Below) -> Result<Response, Stop> {
    below.must(Action::SeeAccount)?;
    let way = visits::way(&mut *console.gateway.db.read().await?, &below.account).await?;
    let verdict = below.verdict(Action::SeeMessages);
    let is_open = below.account.state != AccountState::Closed;
    let words = if way == Way::Ask { "Ask for access" } else { "Step in" };
    let step_in = (is_open && matches!(verdict, Verdict::StepIn(_))).then(|| (words, below.step_in_to("")));
    let nobody = way == Way::Open && below.account.settings.access != Policy::Open;
    page::draw(&Access {
        shell: below.shell("Access"),
        head: below.head("access"),
        now: match way {
            Way::Open => "You can step in at once.",
            Way::Notify => "You can step in at once; its owner gets a mail.",
            Way::Ask => "Its owner is asked before anybody from above steps in.",
        },
        why: match nobody {
            true => format!(
                "The policy is “{}”, but the account has no member who could answer yet.",
                below.account.settings.access.as_str()
            ),
            false => String::new(),
        },
        policies: policies(below.account.settings.access),
        step_in,
        cannot: match () {
            () if !is_open => {
                "It is closed: nobody steps in any more. Its figures and its statement can still be read from here."
            }
            () => "Your role does not let you step in. An owner or administrator of an account above can.",
        },
    })
}

fn policies(chosen: Policy) -> Vec<(&'static str, &'static str, bool)> {
    let words = |policy| match policy {
        Policy::Open => (
            "Open",
            "People from above step in when needed. Its members see every visit and what was done in the audit log.",
        ),
        Policy::Notify => ("Notify", "As open, and its owner gets a mail about each visit when it begins."),
        Policy::Ask => (
            "Ask",
            "Its owner says yes first, for a time. In an emergency the owner of an account above can break the glass with a reason; that is mailed at once.",
        ),
    };
    Policy::ALL.into_iter().map(|policy| (words(policy).0, words(policy).1, policy == chosen)).collect()
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    Access {
        shell: Shell::sample("Access"),
        head: Head::sample("access"),
        now: "You can step in at once.",
        why: "The policy is “ask”.".into(),
        policies: policies(Policy::Ask),
        step_in: Some(("Step in", "/a/2/step-in".into())),
        cannot: "",
    }
}
