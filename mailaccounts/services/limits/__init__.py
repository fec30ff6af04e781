"""What all workers share: leases, slots, budgets, circuit breakers, counted attempts, and who watches."""
