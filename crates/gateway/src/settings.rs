//! What an account chooses: its names, how it is written to, what its messages begin with, who may
//! step in from above, and how long texts and numbers are kept.

use domain::account::{Account, AccountSettings, AccountState};
use domain::actor::Actor;
use domain::id::AccountId;
use domain::member::Access;
use domain::permission::Action;
use domain::phone_number::Country;
use domain::sender_id::SenderId;
use jiff::tz::TimeZone;
use storage::{Error, accounts, visits};

use crate::accounts::{NAME_MAX, signing_key};
use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::mail;

/// The fewest days texts are kept.
pub const TEXT_DAYS_MIN: i64 = 1;
/// The fewest days numbers are kept: carriers report on a message for three days, by its number.
pub const NUMBER_DAYS_MIN: i64 = 4;
/// The most days; for longer, keep them for ever.
pub const DAYS_MAX: i64 = 3_650;
/// The most messages a day that one recipient may be limited to.
pub const RECIPIENT_DAY_MAX: i64 = 100_000;

/// A change of settings; what is `None` stays as it is. An inner `None` takes a choice back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The company's name.
    pub company: Option<Option<String>>,
    /// The owner's first and last name.
    pub owner: Option<String>,
    /// The time zone, by its IANA name.
    pub time_zone: Option<Option<String>>,
    /// The language it is written to in.
    pub language: Option<Option<String>>,
    /// Who its messages are from when they do not say.
    pub default_sender: Option<Option<String>>,
    /// The country of numbers written without one.
    pub default_country: Option<Option<String>>,
    /// Whether the same text to the same recipient within 180 seconds is refused.
    pub reload_lock: Option<bool>,
    /// How many messages one recipient may get a day; 0 is no limit.
    pub recipient_day_max: Option<i64>,
    /// Whether unsigned requests are refused.
    pub signature_required: Option<bool>,
    /// Whether the key that requests are signed with is replaced.
    pub new_signing_key: bool,
    /// How it takes visits from above.
    pub access: Option<Access>,
    /// Whether its members must have a second factor.
    pub second_factor_required: Option<bool>,
    /// How many days texts are kept.
    pub text_days: Option<Option<i64>>,
    /// How many days full numbers are kept.
    pub number_days: Option<Option<i64>>,
}

impl Change {
    /// What whoever changes this must be allowed to.
    pub fn needs(&self) -> Vec<Action> {
        let access_alone = Change { access: self.access, ..Change::default() };
        let mut needs = Vec::new();
        if *self != access_alone {
            needs.push(Action::ManageSettings);
        }
        if self.access.is_some() {
            needs.push(Action::ManageAccess);
        }
        needs
    }
}

/// A field of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the field of `Change` with its name")]
pub enum Field {
    Company,
    Owner,
    TimeZone,
    Language,
    DefaultSender,
    DefaultCountry,
    RecipientDayMax,
    TextDays,
    NumberDays,
}

impl Field {
    /// The word programs and forms have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Company => "company",
            Field::Owner => "owner",
            Field::TimeZone => "time_zone",
            Field::Language => "language",
            Field::DefaultSender => "default_sender",
            Field::DefaultCountry => "default_country",
            Field::RecipientDayMax => "recipient_day_max",
            Field::TextDays => "text_days",
            Field::NumberDays => "number_days",
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", field.as_str())]
pub struct Problem {
    /// Which.
    pub field: Field,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why settings were not changed. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// It is closed.
    #[error("account {0} is closed; its settings stay as they are")]
    Closed(AccountId),
    /// Fields are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<Problem>),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(SettingsError);

/// Collects what is wrong with fields.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: Field, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Problem { field, problem: problem.into(), remedy: remedy.into() });
    }

    fn days(&mut self, field: Field, days: Option<Option<i64>>, min: i64) {
        if let Some(Some(days)) = days
            && !(min..=DAYS_MAX).contains(&days)
        {
            let problem = format!("{days} days are not possible");
            self.add(field, problem, format!("choose {min} to {DAYS_MAX} days, or keep them for ever"));
        }
    }
}

/// A text without blanks at its ends; an empty one is none.
fn filled(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The change as it is stored, or all that is wrong with it.
pub(crate) fn checked(change: &Change) -> Result<Change, Vec<Problem>> {
    let mut change = change.clone();
    let mut problems = Problems::default();
    if let Some(company) = &mut change.company {
        *company = filled(company.as_ref());
        let length = company.as_ref().map_or(1, |name| name.chars().count());
        if length > NAME_MAX {
            let problem = format!("the name has {length} characters");
            problems.add(Field::Company, problem, format!("use at most {NAME_MAX}"));
        }
    }
    if let Some(owner) = &mut change.owner {
        *owner = owner.trim().to_owned();
        let length = owner.chars().count();
        if !(1..=NAME_MAX).contains(&length) {
            let problem = if length == 0 {
                "the name is empty".to_owned()
            } else {
                format!("the name has {length} characters")
            };
            problems.add(Field::Owner, problem, format!("write a name of 1 to {NAME_MAX} characters"));
        }
    }
    if let Some(zone) = &mut change.time_zone {
        *zone = filled(zone.as_ref());
        if let Some(name) = zone.as_ref().filter(|name| TimeZone::get(name).is_err()) {
            let problem = format!("'{}' is not a time zone", shortened(name));
            problems.add(Field::TimeZone, problem, "choose one such as Europe/Berlin");
        }
    }
    if let Some(language) = &mut change.language {
        *language = filled(language.as_ref()).map(|word| word.to_ascii_lowercase());
        let known = mail::languages();
        if let Some(word) = language.as_ref().filter(|word| !known.contains(&word.as_str())) {
            let problem = format!("'{}' is not a language there are texts in", shortened(word));
            problems.add(Field::Language, problem, format!("choose one of {}", known.join(", ")));
        }
    }
    if let Some(sender) = &mut change.default_sender {
        *sender = filled(sender.as_ref());
        match sender.as_deref().map(SenderId::parse) {
            Some(Ok(parsed)) => *sender = Some(parsed.as_str().to_owned()),
            Some(Err(error)) => {
                let remedy = "write up to 11 letters and digits, or a number of up to 16 digits";
                problems.add(Field::DefaultSender, error.to_string(), remedy);
            }
            None => {}
        }
    }
    if let Some(country) = &mut change.default_country {
        *country = filled(country.as_ref()).map(|word| word.to_ascii_uppercase());
        if let Some(word) = country.as_ref().filter(|word| Country::parse(word).is_none()) {
            let problem = format!("'{}' is not a country", shortened(word));
            problems.add(Field::DefaultCountry, problem, "write its two letters of ISO 3166, such as DE");
        }
    }
    if let Some(most) = change.recipient_day_max.filter(|most| !(0..=RECIPIENT_DAY_MAX).contains(most)) {
        let remedy = format!("write 1 to {RECIPIENT_DAY_MAX} messages a day, or 0 for no limit");
        problems.add(Field::RecipientDayMax, format!("{most} is not possible"), remedy);
    }
    problems.days(Field::TextDays, change.text_days, TEXT_DAYS_MIN);
    problems.days(Field::NumberDays, change.number_days, NUMBER_DAYS_MIN);
    if problems.0.is_empty() { Ok(change) } else { Err(problems.0) }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Changes settings of an account: all that is asked for, or nothing. Visits that were let in as `open`
/// end when the account wants to be asked from now on.
///
/// # Errors
/// [`SettingsError::Fields`] names every field that is wrong, with its remedy.
pub async fn change(
    base: &Base,
    account: AccountId,
    change: &Change,
    actor: &Actor,
) -> Result<Account, SettingsError> {
    let change = &checked(change).map_err(SettingsError::Fields)?;
    let changed = again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(SettingsError::NotFound(account))?;
        if found.state == AccountState::Closed {
            return Err(SettingsError::Closed(account));
        }
        let after = applied(&found, change);
        let changes = differences(&found, &after);
        if changes.is_empty() {
            return Ok(found);
        }
        audit::note(&mut tx, &found, actor, "settings.change", "settings", &changes, now).await?;
        if after.settings.access == Access::Ask && found.settings.access != Access::Ask {
            visits::end_ungranted(&mut tx, account, now).await?;
        }
        if (&after.company, &after.owner) != (&found.company, &found.owner) {
            accounts::set_names(&mut tx, account, after.company.as_deref(), &after.owner).await?;
        }
        if after.settings != found.settings {
            accounts::set_settings(&mut tx, account, &after.settings).await?;
        }
        tx.commit().await?;
        Ok(after)
    })
    .await?;
    base.refresh().await?;
    Ok(changed)
}

fn applied(account: &Account, change: &Change) -> Account {
    let before = &account.settings;
    let or = |new: &Option<Option<String>>, old: &Option<String>| new.clone().unwrap_or_else(|| old.clone());
    let settings = AccountSettings {
        default_sender: or(&change.default_sender, &before.default_sender),
        default_country: or(&change.default_country, &before.default_country),
        reload_lock: change.reload_lock.unwrap_or(before.reload_lock),
        recipient_day_max: change.recipient_day_max.unwrap_or(before.recipient_day_max),
        signing_key: match change.new_signing_key {
            true => signing_key(&mut rand::rng()),
            false => before.signing_key.clone(),
        },
        signature_required: change.signature_required.unwrap_or(before.signature_required),
        access: change.access.unwrap_or(before.access),
        time_zone: or(&change.time_zone, &before.time_zone),
        language: or(&change.language, &before.language),
        second_factor_required: change.second_factor_required.unwrap_or(before.second_factor_required),
        text_days: change.text_days.unwrap_or(before.text_days),
        number_days: change.number_days.unwrap_or(before.number_days),
        preset: before.preset,
    };
    Account {
        company: or(&change.company, &account.company),
        owner: change.owner.clone().unwrap_or_else(|| account.owner.clone()),
        settings,
        ..account.clone()
    }
}

fn differences(before: &Account, after: &Account) -> Changes {
    let (old, new) = (&before.settings, &after.settings);
    let changes = Changes::new()
        .field("company", &before.company, &after.company)
        .field("owner", &before.owner, &after.owner)
        .field("time_zone", &old.time_zone, &new.time_zone)
        .field("language", &old.language, &new.language)
        .field("default_sender", &old.default_sender, &new.default_sender)
        .field("default_country", &old.default_country, &new.default_country)
        .field("reload_lock", old.reload_lock, new.reload_lock)
        .field("recipient_day_max", old.recipient_day_max, new.recipient_day_max)
        .field("signature_required", old.signature_required, new.signature_required)
        .field("access", old.access.as_str(), new.access.as_str())
        .field("second_factor_required", old.second_factor_required, new.second_factor_required)
        .field("text_days", old.text_days, new.text_days)
        .field("number_days", old.number_days, new.number_days);
    // The key itself is in no log.
    match old.signing_key == new.signing_key {
        true => changes,
        false => changes.new_field("signing_key", "replaced"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_told_with_its_remedy() {
        let change = Change {
            company: Some(Some("x".repeat(201))),
            owner: Some(" ".into()),
            time_zone: Some(Some("Mars/Olympus".into())),
            language: Some(Some("tlh".into())),
            default_sender: Some(Some("much too long a sender".into())),
            default_country: Some(Some("Germany".into())),
            recipient_day_max: Some(-1),
            text_days: Some(Some(0)),
            number_days: Some(Some(3)),
            ..Change::default()
        };
        let problems = checked(&change).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|one| one.field.as_str()).collect();
        let all = "company owner time_zone language default_sender default_country recipient_day_max text_days number_days";
        assert_eq!(fields.join(" "), all);
        assert!(problems.iter().all(|one| !one.problem.is_empty() && !one.remedy.is_empty()));
    }

    #[test]
    fn what_is_left_empty_takes_a_choice_back() {
        let empty = || Some(Some("  ".to_owned()));
        let change =
            Change { company: empty(), time_zone: empty(), default_sender: empty(), ..Change::default() };
        let checked = checked(&change).unwrap();
        assert_eq!(
            (checked.company, checked.time_zone, checked.default_sender),
            (Some(None), Some(None), Some(None))
        );
    }

    #[test]
    fn the_access_policy_needs_another_right_than_the_rest() {
        let access = Change { access: Some(Access::Ask), ..Change::default() };
        assert_eq!(access.needs(), [Action::ManageAccess]);
        let both = Change { reload_lock: Some(true), ..access };
        assert_eq!(both.needs(), [Action::ManageSettings, Action::ManageAccess]);
        assert!(Change::default().needs().is_empty());
    }
}
