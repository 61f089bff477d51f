"""The product's sentence: metrics in, forecast, plan, guards, actuation, one record."""
