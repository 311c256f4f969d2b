from .features import Plan as Plan
from .features import choose_front_end as choose_front_end
from .features import common_folder as common_folder
from .features import extract as extract
from .features import make_plan as make_plan
