//! The rules of the bank, each as: given what happened, when this is asked, then this happens.

use recount::prelude::*;
use recount::testing::{given, given_log, pattern};

use crate::account::{
    AccountClosed, AccountCreated, AccountError, AccountId, BankAccount, MoneyDeposited,
    MoneyWithdrawn,
};
use crate::money::Cents;
use crate::order::{
    Address, Item, Order, OrderCancelled, OrderConfirmed, OrderDelivered, OrderError, OrderId,
    OrderPlaced, OrderShipped, Status,
};
use crate::views::{AccountBalances, OrderStatus};

fn created() -> AccountCreated {
    AccountCreated {
        account_holder: "John Doe".into(),
        initial_deposit: Cents(1000_00),
    }
}

fn deposited(amount: i64, balance_after: i64) -> MoneyDeposited {
    MoneyDeposited {
        amount: Cents(amount),
        description: "Salary".into(),
        balance_after: Cents(balance_after),
    }
}

fn closed() -> AccountClosed {
    AccountClosed {
        final_balance: Cents(0),
    }
}

#[test]
fn opening_with_money_is_a_creation_and_a_deposit() {
    let initial = MoneyDeposited {
        description: "Initial deposit".into(),
        ..deposited(1000_00, 1000_00)
    };
    given::<BankAccount>(())
        .when_created(BankAccount::open("John Doe", Cents(1000_00)))
        .then((created(), initial))
        .then_check(|account| assert_eq!(account.balance, Cents(1000_00)));
    given::<BankAccount>(())
        .when_created(BankAccount::open("Jane Doe", Cents(0)))
        .then(AccountCreated {
            account_holder: "Jane Doe".into(),
            initial_deposit: Cents(0),
        });
}

#[test]
fn a_deposit_knows_the_balance_after_it() {
    given::<BankAccount>((created(), deposited(1000_00, 1000_00)))
        .when(|account| account.deposit(Cents(500_00), "Salary"))
        .then(deposited(500_00, 1500_00))
        .then_check(|account| assert_eq!(account.balance, Cents(1500_00)));
}

#[test]
fn nobody_withdraws_more_than_there_is() {
    let given_100 = || given::<BankAccount>((created(), deposited(100, 100)));
    given_100()
        .when(|account| account.withdraw(Cents(100), "All of it"))
        .then(MoneyWithdrawn {
            amount: Cents(100),
            description: "All of it".into(),
            balance_after: Cents(0),
        });
    given_100()
        .when(|account| account.withdraw(Cents(101), "Too much"))
        .then_err(AccountError::InsufficientFunds {
            balance: Cents(100),
            amount: Cents(101),
        });
}

#[test]
fn amounts_are_positive() {
    for amount in [0, -5] {
        given::<BankAccount>(created())
            .when(|account| account.deposit(Cents(amount), ""))
            .then_err(pattern!(AccountError::NotPositive(_)));
        given::<BankAccount>(created())
            .when(|account| account.withdraw(Cents(amount), ""))
            .then_err(pattern!(AccountError::NotPositive(_)));
    }
}

#[test]
fn a_closed_account_stays_closed() {
    let given_closed = || given::<BankAccount>((created(), closed()));
    given_closed()
        .when(|account| account.deposit(Cents(1), ""))
        .then_err(AccountError::NotActive);
    given_closed()
        .when(BankAccount::close)
        .then_err("the account is already closed");
}

fn address() -> Address {
    Address {
        street: "1 Main Street".into(),
        city: "Springfield".into(),
        zip: "12345".into(),
    }
}

fn placed() -> OrderPlaced {
    OrderPlaced {
        customer_id: "customer_001".into(),
        items: vec![Item {
            item_id: "book".into(),
            quantity: 2,
            price: Cents(15_00),
        }],
        total_amount: Cents(30_00),
        shipping_address: address(),
    }
}

fn shipped() -> OrderShipped {
    OrderShipped {
        tracking_number: "TRACK-1".into(),
    }
}

#[test]
fn an_order_is_the_sum_of_its_items() {
    given::<Order>(())
        .when_created(Order::place("customer_001", placed().items, address()))
        .then(placed());
    given::<Order>(())
        .when_created(Order::place("customer_001", Vec::new(), address()))
        .then_err(OrderError::NoItems);
}

#[test]
fn an_order_goes_one_way() {
    given::<Order>(placed())
        .when(Order::confirm)
        .then(OrderConfirmed {});
    given::<Order>((placed(), OrderConfirmed {}))
        .when(|order| order.ship("TRACK-1"))
        .then(shipped());
    given::<Order>((placed(), OrderConfirmed {}, shipped()))
        .when(Order::deliver)
        .then(OrderDelivered {});
    given::<Order>(placed())
        .when(|order| order.ship("TRACK-1"))
        .then_err(OrderError::WrongStatus {
            verb: "ship",
            status: Status::Placed,
        });
    given::<Order>((placed(), OrderConfirmed {}, shipped(), OrderDelivered {}))
        .when(|order| order.cancel("changed my mind"))
        .then_err("cannot cancel an order that is delivered");
}

#[test]
fn balances_follow_their_accounts() -> Result<(), Box<dyn std::error::Error>> {
    let (john, jane) = (AccountId::new("john")?, AccountId::new("jane")?);
    let later: DateTime<Utc> = "2026-02-01T12:00:00Z".parse()?;
    given_log()
        .stream::<BankAccount>(&john, (created(), deposited(100, 100)))
        .stream::<BankAccount>(&jane, created())
        .at(later)
        .stream::<BankAccount>(&jane, closed())
        .project::<AccountBalances>()
        .then_check(|balances| {
            let (john, jane) = (balances.of("john"), balances.of("jane"));
            assert_eq!(
                john.map(|john| (john.balance, john.is_active)),
                Some((Cents(100), true))
            );
            assert_eq!(
                jane.map(|jane| (jane.is_active, jane.last_updated)),
                Some((false, later))
            );
        });
    Ok(())
}

#[test]
fn orders_are_found_by_customer_and_by_status() -> Result<(), Box<dyn std::error::Error>> {
    let cancelled = OrderCancelled {
        reason: "changed my mind".into(),
    };
    given_log()
        .stream::<Order>(&OrderId::new("one")?, placed())
        .stream::<Order>(&OrderId::new("two")?, (placed(), cancelled))
        .project::<OrderStatus>()
        .then_check(|orders| {
            assert_eq!(orders.by_customer("customer_001").count(), 2);
            let cancelled: Vec<_> = orders
                .by_status(Status::Cancelled)
                .map(|(id, _)| id)
                .collect();
            assert_eq!(cancelled, ["two"]);
        });
    Ok(())
}
