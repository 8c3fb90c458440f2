//! The order: placed, confirmed, shipped, delivered; or cancelled on the way.

use std::fmt;

use recount::prelude::*;

use crate::money::Cents;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct OrderId(String);

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Item {
    pub item_id: String,
    pub quantity: u32,
    pub price: Cents,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ValueObject)]
pub struct Address {
    pub street: String,
    pub city: String,
    pub zip: String,
}

// What happened to an order. When it happened is known of every event, so no event repeats it.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderPlaced {
    pub customer_id: String,
    pub items: Vec<Item>,
    pub total_amount: Cents,
    pub shipping_address: Address,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderConfirmed {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderShipped {
    pub tracking_number: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderDelivered {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderCancelled {
    pub reason: String,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Placed,
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        })
    }
}

/// Why an order refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("cannot {verb} an order that is {status}")]
    WrongStatus { verb: &'static str, status: Status },
    #[error("an order needs at least one item")]
    NoItems,
}

/// What the rules need to know of an order.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "order", id = OrderId, error = OrderError, locked)]
pub struct Order {
    pub status: Status,
    pub total_amount: Cents,
}

#[apply]
impl Order {
    fn placed(event: OrderPlaced) -> Self {
        Self {
            status: Status::Placed,
            total_amount: event.total_amount,
        }
    }

    fn confirmed(&mut self, _: OrderConfirmed) {
        self.status = Status::Confirmed;
    }

    fn shipped(&mut self, _: OrderShipped) {
        self.status = Status::Shipped;
    }

    fn delivered(&mut self, _: OrderDelivered) {
        self.status = Status::Delivered;
    }

    fn cancelled(&mut self, _: OrderCancelled) {
        self.status = Status::Cancelled;
    }
}

impl Order {
    pub fn place(
        customer_id: &str,
        items: Vec<Item>,
        shipping_address: Address,
    ) -> Result<OrderPlaced, OrderError> {
        if items.is_empty() {
            return Err(OrderError::NoItems);
        }
        let total_amount = items.iter().map(|item| item.price * item.quantity).sum();
        Ok(OrderPlaced {
            customer_id: customer_id.into(),
            items,
            total_amount,
            shipping_address,
        })
    }

    pub fn confirm(&self) -> Result<OrderConfirmed, OrderError> {
        self.check(self.status == Status::Placed, "confirm")?;
        Ok(OrderConfirmed {})
    }

    pub fn ship(&self, tracking_number: &str) -> Result<OrderShipped, OrderError> {
        self.check(self.status == Status::Confirmed, "ship")?;
        Ok(OrderShipped {
            tracking_number: tracking_number.into(),
        })
    }

    pub fn deliver(&self) -> Result<OrderDelivered, OrderError> {
        self.check(self.status == Status::Shipped, "deliver")?;
        Ok(OrderDelivered {})
    }

    pub fn cancel(&self, reason: &str) -> Result<OrderCancelled, OrderError> {
        self.check(
            !matches!(self.status, Status::Delivered | Status::Cancelled),
            "cancel",
        )?;
        Ok(OrderCancelled {
            reason: reason.into(),
        })
    }

    fn check(&self, allowed: bool, verb: &'static str) -> Result<(), OrderError> {
        if allowed {
            Ok(())
        } else {
            Err(OrderError::WrongStatus {
                verb,
                status: self.status,
            })
        }
    }
}
