//! What an amount is worth in messages: "about 16,060 SMS to Germany".

use std::sync::Arc;

use domain::account::Account;
use domain::credits::Credits;
use domain::phone_number::Country;
use domain::product::Product;
use gateway::{Base, Prices};

use crate::Console;
use crate::error::Stop;
use crate::format::Format;

/// What one SMS segment costs an account in the country it sends to by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    country: Country,
    price: Credits,
}

impl Worth {
    /// For the last account of a path; nothing where there is no price.
    pub async fn of(console: &Console, path: &[Arc<Account>]) -> Result<Option<Worth>, Stop> {
        let prices = console.gateway.prices().await?;
        Ok(Worth::by(console, &prices, path))
    }

    fn by(console: &Console, prices: &Prices, path: &[Arc<Account>]) -> Option<Worth> {
        let own = path.last()?.settings.default_country.as_deref().and_then(Country::parse);
        let country = own.unwrap_or(console.gateway.rules.default_country);
        let now = console.gateway.clock.now();
        let levels = Base::levels(prices, path, Product::Sms, Some(country), "", now)?;
        let price = levels.last()?.1.amount;
        Some(Worth { country, price })
    }

    /// `about 16,060 SMS to Germany`; `no SMS to Germany` when it is not enough for one.
    pub fn words(&self, amount: Credits, format: &Format) -> String {
        let country = self.country.name();
        if !self.price.is_positive() {
            return format!("SMS to {country} cost nothing");
        }
        match amount.0.max(0) / self.price.0 {
            0 => format!("not enough for an SMS to {country}"),
            count => format!("about {} SMS to {country}", format.count(count)),
        }
    }
}
