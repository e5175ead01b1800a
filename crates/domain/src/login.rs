//! Login, a person: who they are, and what they can prove it by. What they may do is said by their
//! places in accounts ([`crate::member`]); the secrets themselves never leave the books.

use crate::account::Email;
use crate::id::LoginId;
use crate::moment::Moment;

/// A person as others may know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Their number.
    pub id: LoginId,
    /// Their address: what they sign in with, and where mail for them goes.
    pub email: Email,
    /// Their name, as others see it.
    pub name: String,
    /// The language they read, as BCP 47 says it (`en`, `de`); absent is their account's.
    pub language: Option<String>,
    /// Whether they run this installation.
    pub operator: bool,
    /// Since when their password is what it is; absent while they have none.
    pub password_at: Option<Moment>,
    /// Since when an app gives them codes (TOTP).
    pub totp_at: Option<Moment>,
    /// How many passkeys they have.
    pub passkeys: i64,
    /// Since when they may not sign in.
    pub disabled_at: Option<Moment>,
    /// When they were created.
    pub created_at: Moment,
    /// When they signed in last.
    pub last_at: Option<Moment>,
}

impl Login {
    /// Whether they can prove who they are by more than a password.
    pub fn has_second_factor(&self) -> bool {
        self.totp_at.is_some() || self.passkeys > 0
    }

    /// Their name and address, as logs and statements show them: `Eva Muster <eva@example.com>`.
    pub fn words(&self) -> String {
        match self.name.trim() {
            "" => self.email.as_str().to_owned(),
            name => format!("{name} <{}>", self.email.as_str()),
        }
    }
}

/// How far somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The password was right; the second factor is owed, and nothing may be seen before.
    SecondFactorOwed,
    /// In.
    SignedIn,
}

impl Step {
    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The step of a number in the books.
    pub fn from_code(code: i64) -> Option<Step> {
        match code {
            0 => Some(Step::SecondFactorOwed),
            1 => Some(Step::SignedIn),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_stored_and_read_back() {
        for step in [Step::SecondFactorOwed, Step::SignedIn] {
            assert_eq!(Step::from_code(step.code()), Some(step));
        }
        assert_eq!(Step::from_code(2), None);
    }

    #[test]
    fn a_login_without_a_name_is_shown_by_its_address() {
        let mut login = Login {
            id: LoginId(1),
            email: Email::parse("eva@example.com").unwrap(),
            name: "Eva Muster".into(),
            language: None,
            operator: false,
            password_at: None,
            totp_at: None,
            passkeys: 0,
            disabled_at: None,
            created_at: Moment(0),
            last_at: None,
        };
        assert_eq!(login.words(), "Eva Muster <eva@example.com>");
        login.name = " ".into();
        assert_eq!(login.words(), "eva@example.com");
        assert!(!login.has_second_factor());
        login.passkeys = 1;
        assert!(login.has_second_factor());
    }
}
