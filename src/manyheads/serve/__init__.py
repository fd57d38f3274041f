"""The service: any saved model answers any number of clients, and never hangs."""
