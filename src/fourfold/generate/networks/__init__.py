"""Networks: MONAI's where MONAI has them, and what it lacks."""
