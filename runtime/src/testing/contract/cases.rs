//! How a case is written once and becomes a function, an entry in a list, and a test in the crate of whoever asks.

/// Defines the cases of a group, `CASES`, the list of them by name, and the macro that writes a test for each.
///
/// The tests find their store as `super::store_under_contract`, which `store_contract!` defines around them.
macro_rules! cases {
    ($group:ident as $tests:ident; $(async fn $name:ident($store:ident: Store) $body:block)*) => {
        $(
            pub fn $name($store: $crate::Store) -> $crate::store::BoxFuture<'static, ()> {
                Box::pin(async move $body)
            }
        )*

        pub const CASES: &[(&str, $crate::testing::contract::Case)] = &[$((stringify!($name), $name)),*];

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $tests {
            () => {
                mod $group {
                    $(
                        #[test]
                        fn $name() {
                            $crate::testing::contract::run(
                                stringify!($name),
                                super::store_under_contract,
                                $crate::testing::contract::$group::$name,
                            );
                        }
                    )*
                }
            };
        }
    };
}
