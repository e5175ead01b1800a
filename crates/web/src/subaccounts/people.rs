//! Who is in one account below, as seen from above. Changing it takes stepping in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::permission::{Action, Verdict};

use super::below::{Below, Head};
use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::format::Time;
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty};

#[derive(Template)]
#[template(path = "a/subaccounts/people.html")]
struct People {
    shell: Shell,
    head: Head,
    change: Option<(&'static str, String)>,
    rows: Vec<Row>,
    empty: Option<Empty>,
}

struct Row {
    name: String,
    email: String,
    role: String,
    below: bool,
    state: Badge,
    since: Time,
}

/// `GET /a/{id}/subaccounts/{child}/members`.
pub async fn show(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    below.must(Action::SeeMembers)?;
    let (format, now) = (place.format(), console.gateway.clock.now());
    let (members, invitations) = {
        let mut conn = console.gateway.db.read().await?;
        let members = storage::members::of_account(&mut conn, below.account.id).await?;
        (members, storage::invitations::of_account(&mut conn, below.account.id).await?)
    };
    let members = members.into_iter().map(|line| Row {
        name: line.name,
        email: line.email,
        role: super::capital(line.member.role.as_str()),
        below: line.member.includes_subaccounts || line.member.role.reaches_down(),
        state: if line.enabled { Badge::new("good", "member") } else { Badge::new("bad", "locked") },
        since: format.date(line.member.created_at),
    });
    let invited =
        invitations.into_iter().filter(|invitation| invitation.is_open(now)).map(|invitation| Row {
            name: String::new(),
            email: invitation.email.as_str().to_owned(),
            role: super::capital(invitation.role.as_str()),
            below: invitation.includes_subaccounts || invitation.role.reaches_down(),
            state: Badge::new("busy", "invited"),
            since: format.date(invitation.created_at),
        });
    let rows: Vec<Row> = members.chain(invited).collect();
    let change = match below.verdict(Action::ManageMembers) {
        Verdict::StepIn(_) => Some(("Step in to change them", below.step_in_to("members"))),
        _ => None,
    };
    let empty = rows.is_empty().then(|| {
        let words =
            "Nobody has a login here. People from above look after it; step in to invite its first owner.";
        let empty = Empty::new("members", "No members yet", words);
        match &change {
            Some((_, href)) => empty.next("Step in and invite", href),
            None => empty,
        }
    });
    page::draw(&People { shell: below.shell("Members"), head: below.head("members"), change, rows, empty })
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let shell = Shell::sample("Members");
    let row = |name: &str, state| Row {
        name: name.into(),
        email: "<b>@example.com".into(),
        role: "Owner".into(),
        below: true,
        state,
        since: shell.format.date(shell.format.now),
    };
    People {
        rows: vec![row("<i>Eva</i>", Badge::new("good", "member")), row("", Badge::new("busy", "invited"))],
        head: Head::sample("members"),
        change: Some(("Step in to change them", "/a/2/step-in".into())),
        empty: None,
        shell,
    }
}
