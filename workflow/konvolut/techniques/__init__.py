"""What is computed of units and photographs; one module for each rule."""
