//! What people ask about accounts and orders: two projections and their queries.

use std::collections::BTreeMap;

use recount::prelude::*;

use crate::account::{AccountClosed, AccountCreated, BankAccount, MoneyDeposited, MoneyWithdrawn};
use crate::money::Cents;
use crate::order::{
    Order, OrderCancelled, OrderConfirmed, OrderDelivered, OrderPlaced, OrderShipped, Status,
};

/// One account, as the list of balances shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    pub account_holder: String,
    pub balance: Cents,
    pub is_active: bool,
    pub last_updated: DateTime<Utc>,
}

/// The balance of every account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AccountBalances {
    accounts: BTreeMap<String, Balance>,
}

#[projection(name = "account-balances", of(BankAccount))]
impl AccountBalances {
    fn created(&mut self, event: AccountCreated, at: &Envelope) {
        let balance = Balance {
            account_holder: event.account_holder,
            balance: Cents(0),
            is_active: true,
            last_updated: at.recorded_at,
        };
        self.accounts.insert(at.stream.id().to_owned(), balance);
    }

    fn deposited(&mut self, event: MoneyDeposited, at: &Envelope) {
        self.update(at, |account| account.balance += event.amount);
    }

    fn withdrawn(&mut self, event: MoneyWithdrawn, at: &Envelope) {
        self.update(at, |account| account.balance -= event.amount);
    }

    fn closed(&mut self, _: AccountClosed, at: &Envelope) {
        self.update(at, |account| account.is_active = false);
    }
}

impl AccountBalances {
    fn update(&mut self, at: &Envelope, change: impl FnOnce(&mut Balance)) {
        if let Some(account) = self.accounts.get_mut(at.stream.id()) {
            change(account);
            account.last_updated = at.recorded_at;
        }
    }

    pub fn of(&self, account_id: &str) -> Option<&Balance> {
        self.accounts.get(account_id)
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &Balance)> {
        self.accounts
            .iter()
            .map(|(id, balance)| (id.as_str(), balance))
    }
}

/// One order, as the list of orders shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderSummary {
    pub customer_id: String,
    pub total_amount: Cents,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
}

/// The status of every order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrderStatus {
    orders: BTreeMap<String, OrderSummary>,
}

#[projection(name = "order-status", of(Order))]
impl OrderStatus {
    fn placed(&mut self, event: OrderPlaced, at: &Envelope) {
        let summary = OrderSummary {
            customer_id: event.customer_id,
            total_amount: event.total_amount,
            status: Status::Placed,
            created_at: at.recorded_at,
            last_updated: at.recorded_at,
        };
        self.orders.insert(at.stream.id().to_owned(), summary);
    }

    fn confirmed(&mut self, _: OrderConfirmed, at: &Envelope) {
        self.update(at, Status::Confirmed);
    }

    fn shipped(&mut self, _: OrderShipped, at: &Envelope) {
        self.update(at, Status::Shipped);
    }

    fn delivered(&mut self, _: OrderDelivered, at: &Envelope) {
        self.update(at, Status::Delivered);
    }

    fn cancelled(&mut self, _: OrderCancelled, at: &Envelope) {
        self.update(at, Status::Cancelled);
    }
}

impl OrderStatus {
    fn update(&mut self, at: &Envelope, status: Status) {
        if let Some(order) = self.orders.get_mut(at.stream.id()) {
            order.status = status;
            order.last_updated = at.recorded_at;
        }
    }

    pub fn of(&self, order_id: &str) -> Option<&OrderSummary> {
        self.orders.get(order_id)
    }

    pub fn by_customer(&self, customer_id: &str) -> impl Iterator<Item = (&str, &OrderSummary)> {
        self.select(move |order| order.customer_id == customer_id)
    }

    pub fn by_status(&self, status: Status) -> impl Iterator<Item = (&str, &OrderSummary)> {
        self.select(move |order| order.status == status)
    }

    fn select(
        &self,
        wanted: impl Fn(&OrderSummary) -> bool,
    ) -> impl Iterator<Item = (&str, &OrderSummary)> {
        self.orders
            .iter()
            .filter(move |(_, order)| wanted(order))
            .map(|(id, order)| (id.as_str(), order))
    }
}
