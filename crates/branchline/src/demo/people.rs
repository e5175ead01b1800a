//! Who can sign in to the invented world: each sees another part of it. Their passwords are drawn by
//! chance when the world is made, so a demo that is left running has none that anybody could know.

use anyhow::{Context as _, Result};
use domain::account::Email;
use domain::id::AccountId;
use domain::member::Role;
use gateway::Base;
use gateway::logins::{self, NewLogin};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::world::{AGENCY, BRANCH_OF_THE_MANAGER, CHAIN, WORLD, Who};

/// Characters of a password: none that is taken for another.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// How many groups of four a password has: 79 bits.
const GROUPS: usize = 4;

/// Somebody who can sign in.
#[derive(Deserialize, Serialize)]
pub struct Person {
    /// Their name.
    name: String,
    /// What they are and where, for whoever reads it.
    pub who: String,
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// Their role.
    role: String,
    /// Where they have it.
    account: i64,
}

/// The people of the world, with new passwords. `accounts`: in the order of the world.
pub fn invent(accounts: &[i64]) -> Result<Vec<Person>> {
    let at = |place: usize| accounts.get(place).copied().context("the world has this account");
    let (agency, branch, chain) = (&WORLD[AGENCY], &WORLD[BRANCH_OF_THE_MANAGER], &WORLD[CHAIN]);
    let person = |account, what: &str, of: &Who, name: &str, mailbox: &str, role: Role| Person {
        name: name.to_owned(),
        who: format!("{what}, {}", of.company),
        email: format!("{mailbox}@example.com"),
        password: password(),
        role: role.as_str().to_owned(),
        account,
    };
    Ok(vec![
        person(at(AGENCY)?, "Owner", agency, agency.owner, agency.mailbox, Role::Owner),
        person(at(BRANCH_OF_THE_MANAGER)?, "Manager", branch, branch.owner, branch.mailbox, Role::Owner),
        person(at(CHAIN)?, "Accountant", chain, "Ute Brinkmann", "ute.kornhaus", Role::Finance),
    ])
}

/// Creates the logins that are not there yet.
pub async fn create(base: &Base, people: &[Person]) -> Result<()> {
    for person in people {
        let email = Email::parse(&person.email)?;
        if storage::logins::by_email(&mut *base.db.read().await?, &email).await?.is_some() {
            continue;
        }
        let role =
            Role::parse(&person.role).context("the notes of the demo name a role that does not exist")?;
        let kept = logins::password(&person.password, &[&person.name, &person.email], false).await?;
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let new = NewLogin {
            email: &email,
            name: &person.name,
            language: None,
            operator: false,
            password: Some(&kept),
        };
        let login = logins::create(&mut tx, &new, now).await?;
        storage::members::insert(&mut tx, AccountId(person.account), login.id, role, true, now).await?;
        tx.commit().await?;
    }
    base.refresh().await?;
    Ok(())
}

fn password() -> String {
    let mut rng = rand::rng();
    let mut letter = || char::from(LETTERS[rng.random_range(0..LETTERS.len())]);
    let groups: Vec<String> = (0..GROUPS).map(|_| (0..4).map(|_| letter()).collect()).collect();
    groups.join("-")
}
